"""Adapters: small modules that are trained in place of a whole encoder."""

from __future__ import annotations

from .base import Adapter, AdapterModule
from .film import FiLMAdapter
from .insertion import adapter_names, adapter_of, as_initialised, fold, insert
from .replay_loss import features_and_replay_loss, without_replay
from .sites import Sites, find_sites
from .token_replay import TokenReplayAdapter

__all__ = [
    "Adapter",
    "AdapterModule",
    "FiLMAdapter",
    "Sites",
    "TokenReplayAdapter",
    "adapter_names",
    "adapter_of",
    "as_initialised",
    "features_and_replay_loss",
    "find_sites",
    "fold",
    "insert",
    "without_replay",
]
