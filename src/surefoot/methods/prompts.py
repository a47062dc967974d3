"""Prompts of the classes inside training: tokenised once, each distinct one encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..models.model import TextTower

__all__ = ["PromptTable", "TemplateUse"]

TemplateUse = Literal["random", "average"]


class PromptTable(nn.Module):
    """Every class in every template, as tokens.

    Which prompts of a batch are distinct is asked on the CPU: how many there are decides the size
    of what follows, and a device would have to finish all its work before it could tell. So labels
    and draws that lie on the CPU cost no waiting; those on a device are fetched.

    Args:
        text: Tokenises and encodes; its parameters stay the model's.
        names: How each class is called inside a prompt.
        templates: Sentences with one ``{}``.
    """

    tokens: Tensor

    def __init__(self, text: TextTower, names: Sequence[str], templates: Sequence[str]) -> None:
        super().__init__()
        prompts = [t.replace("{}", name) for name in names for t in templates]
        distinct = {p: i for i, p in enumerate(dict.fromkeys(prompts))}
        self.templates = len(templates)
        # Not in checkpoints: they follow from the task.
        self.register_buffer("tokens", text.tokenize(list(distinct)), persistent=False)
        # No buffer: it stays on the CPU. (classes, templates), the row of ``tokens``.
        self.rows = torch.tensor([distinct[p] for p in prompts]).reshape(-1, len(templates))

    def one(self, text: TextTower, labels: Tensor, draw: Tensor, *, part: int | None) -> Tensor:
        """Per item, the embedding (b, d) of its class in the template that ``draw`` picks."""
        rows = self.rows[labels.cpu(), draw.cpu() % self.templates]
        distinct, back = torch.unique(rows, return_inverse=True)
        embedded: Tensor = self.encode(text, distinct, part=part)[self._there(back)]
        return embedded

    def mean(self, text: TextTower, labels: Tensor, *, part: int | None) -> Tensor:
        """Per item, the normalised mean over all templates of its class (b, d), as a head's row."""
        classes, back = torch.unique(labels.cpu(), return_inverse=True)
        rows, inverse = torch.unique(self.rows[classes], return_inverse=True)
        embedded = self.encode(text, rows, part=part)[self._there(inverse)]
        mean: Tensor = nn.functional.normalize(embedded.mean(dim=1), dim=-1)[self._there(back)]
        return mean

    def encode(self, text: TextTower, rows: Tensor, *, part: int | None) -> Tensor:
        """Distinct prompts (u,) -> normalised embeddings (u, d), with a graph.

        More than ``part`` prompts are encoded so many at a time, and once more in the backward
        pass, so that memory is that of one part; the gradients are the same.
        """
        tokens = self.tokens[self._there(rows)]
        if part is None or len(rows) <= part:
            embedded = text(tokens)
        else:
            pieces = torch.split(tokens, part)
            embedded = torch.cat([checkpoint(text, p, use_reentrant=False) for p in pieces])
        wide = embedded if embedded.dtype == torch.float64 else embedded.float()
        return nn.functional.normalize(wide, dim=-1)

    def _there(self, index: Tensor) -> Tensor:
        """An index on the device of the tokens."""
        return index.to(self.tokens.device, non_blocking=True)
