"""What an adapter is: a few fields that say it whole, and how it gets into an encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar

from torch import nn

__all__ = ["Adapter", "AdapterModule"]


class AdapterModule(nn.Module):
    """Marks the modules that an adapter adds; their parameters are the adapter's."""


class Adapter(ABC):
    """A frozen dataclass of plain fields: from them and a bare encoder all else follows.

    The modules hang on the layers that they adapt and work through forward hooks, so every
    tensor of the encoder keeps its name.
    """

    kind: ClassVar[str]
    """In ``spec.builder["adapter"]``."""
    foldable: ClassVar[bool]
    """Can it be written into the encoder's own weights?"""

    @abstractmethod
    def attach(self, encoder: nn.Module, *, name: str = "the model") -> None:
        """Add the adapter as initialised, in place; the encoder's outputs stay as they were.

        Args:
            encoder: A vision transformer without an adapter.
            name: Of the model, for messages.

        Raises:
            ModelError: The encoder has no place for it.
        """

    @abstractmethod
    def merge(self, encoder: nn.Module, *, name: str = "the model") -> None:
        """Write the adapter into the encoder's own weights and take it out, in place.

        Raises:
            ModelError: It is not foldable.
        """

    @abstractmethod
    def note(self, encoder: nn.Module) -> str:
        """One sentence for the report about the adapter in an encoder."""

    def record(self) -> dict[str, Any]:
        """Plain data for ``spec.builder["adapter"]``."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]
