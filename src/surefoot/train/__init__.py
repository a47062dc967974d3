"""Training: one loop for every method.

``schedule`` says how long and how fast, ``loop`` runs it, ``spread`` spreads it over processes,
``checkpoint`` keeps it.
"""

from .loop import Batch, train
from .schedule import Schedule, learning_rate

__all__ = ["Batch", "Schedule", "learning_rate", "train"]
