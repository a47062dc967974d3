"""Training: one loop for every method.

``schedule`` says how long and how fast, ``loop`` runs it, ``distributed`` shares it among
processes,
``checkpoint`` keeps it.
"""

from .loop import Batch, train
from .schedule import Schedule, learning_rate

__all__ = ["Batch", "Schedule", "learning_rate", "train"]
