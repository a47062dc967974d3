"""Frozen text encoders for language supervision: what a caption means, computed once.

=====================  ==========================================================================
``tiny-clip``          the text tower of a model that ``surefoot.load`` gives; it was trained
``open_clip:...`` etc  together with images, so it is flagged ``saw_images``
``sentence:FOLDER``    a sentence-transformers folder on disk: a text-only encoder
``random:DIM``         a random vector per distinct text, for controls; ``random:DIM:SEED``
=====================  ==========================================================================
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import ModelError, UnknownName
from ..weights.fingerprint import fingerprint
from .load import load
from .model import Model
from .sentence import SentenceText
from .texts import Device, Embeddings, TextEncoder

__all__ = ["RandomText", "TextEncoder", "TowerText", "text_encoder"]

_RANDOM = re.compile(r"^random:(?P<dim>\d+)(?::(?P<seed>\d+))?$")
_RANDOM_DIM = 384


class TowerText(TextEncoder):
    """The text tower of a model that was trained with language.

    Args:
        model: With a text tower, which is copied.
        name: For reports; the model's own by default.

    Raises:
        ModelError: The model has no text tower.
    """

    saw_images = True

    def __init__(self, model: Model, *, name: str = "") -> None:
        tower = model.require_text("language supervision by its captions' embeddings")
        self.name = name or model.spec.name
        self._tower = copy.deepcopy(tower).requires_grad_(False).float().eval()
        build = json.dumps(dict(model.spec.builder), sort_keys=True, default=str)
        self._id = hashlib.sha256(
            f"{build}\x1e{self._tower!r}\x1e{fingerprint(self._tower)}".encode()
        ).hexdigest()
        self.dim = int(self._tower.encode(["a"]).shape[1])

    def encode(
        self, texts: Sequence[str], *, batch_size: int = 256, device: Device = None
    ) -> Embeddings:
        """Texts -> (n, dim)."""
        if not len(texts):
            return np.zeros((0, self.dim), dtype=np.float32)
        try:
            tower = self._tower.to("cpu" if device is None else device)
            return tower.encode(list(texts), batch_size=batch_size).float().cpu().numpy()
        finally:
            self._tower.to("cpu")

    def fingerprint(self) -> str:
        """Over the construction of the model and the tower's weights."""
        return self._id


class RandomText(TextEncoder):
    """A control: each distinct text gets a direction of its own, drawn from its own hash.

    Equal texts get equal vectors, whatever else is encoded and in whatever order. Captions that
    repeat (class names) still say which images belong together: this control takes away what
    words mean, not which pairs share one.

    Args:
        dim: Width.
        seed: Another seed draws other vectors.
    """

    saw_images = False

    def __init__(self, dim: int = _RANDOM_DIM, *, seed: int = 0) -> None:
        if dim < 1:
            raise ModelError(f"random text vectors of {dim} numbers", expected="1 or more")
        self.dim, self.seed = dim, seed
        self.name = f"random:{dim}:{seed}"

    def encode(
        self, texts: Sequence[str], *, batch_size: int = 256, device: Device = None
    ) -> Embeddings:
        """Texts -> (n, dim): uniform on the sphere."""
        out = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            key = hashlib.sha256(f"{self.seed}\x1f{text}".encode("utf-8", "surrogateescape"))
            drawn = np.random.default_rng(int.from_bytes(key.digest(), "big"))
            vector = drawn.standard_normal(self.dim)
            out[row] = vector / np.linalg.norm(vector)
        return out

    def fingerprint(self) -> str:
        """Of width and seed."""
        return hashlib.sha256(f"random\x1f{self.dim}\x1f{self.seed}\x1f1".encode()).hexdigest()

    def note(self) -> str:
        """One sentence for reports."""
        return f"text vectors are random, {self.dim} numbers, seed {self.seed}: a control"


def text_encoder(spec: str) -> TextEncoder:
    """A text encoder by name, as the table above says.

    Args:
        spec: A model with a text tower, ``sentence:FOLDER``, or ``random:DIM[:SEED]``.

    Raises:
        UnknownName: No such model; the nearest are named.
        ModelError: A model without a text tower, or a folder with modules that are not read.
        CheckpointError: A folder that is not there or cannot be read.
    """
    if spec == "random":
        return RandomText()
    drawn = _RANDOM.match(spec)
    if drawn is not None:
        return RandomText(int(drawn["dim"]), seed=int(drawn["seed"] or 0))
    if spec.startswith("random:"):
        raise ModelError(
            f"{spec!r} does not say how wide random text vectors are",
            expected="random:DIM or random:DIM:SEED, such as random:384",
        )
    if spec.startswith("sentence:") or (Path(spec) / "modules.json").is_file():
        return SentenceText(spec.removeprefix("sentence:"))
    try:
        return TowerText(load(spec), name=spec)
    except UnknownName as error:  # a model was looked for; text encoders have two schemes more
        error.fix = (
            "text encoders are sentence:FOLDER, random:DIM, and models with a text tower: "
            "tiny-clip, open_clip:ARCH/TAG, hf-hub:ORG/NAME, a file or a folder"
        )
        raise
