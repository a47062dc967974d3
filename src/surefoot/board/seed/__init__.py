"""What the board starts with: papers, methods, data sets, tasks, protocols, published numbers.

Everything can be seeded again: what is there is left as it is, what is missing is added.
"""

from __future__ import annotations

from .fill import fill
from .read import ProtocolPlan, protocol_plans

__all__ = ["ProtocolPlan", "fill", "protocol_plans"]
