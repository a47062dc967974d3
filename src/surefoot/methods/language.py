"""Weak language supervision: a vision encoder learns from captions, and keeps no text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..context import RunContext, pick_device
from ..data.caption_table import CaptionTable, caption_table
from ..data.dataset import Task
from ..errors import ModelError
from ..models.adapters import FiLMAdapter, TokenReplayAdapter, fold, insert
from ..models.blocks import block_names, layers
from ..models.model import Model
from ..models.text_encoders import RandomText, TextEncoder, text_encoder
from ..models.texts import embed_texts
from ..train import Schedule, train
from .base import Scheduled
from .film import ADAPTERS
from .language_loss import Alignment

__all__ = ["LanguageSupervision"]

AdapterKind = Literal["film", "film-all", "token-replay", "last-blocks", "none"]
Control = Literal["none", "shuffled", "random"]

_TUNED = {
    "film": "FiLM",
    "film-all": "FiLM-all (SSF)",
    "token-replay": "Token Replay (our reading)",
    "none": "All weights",
}
_BY = {"none": "language", "shuffled": "shuffled captions", "random": "random text vectors"}

_WARMUP = 0.05


@dataclass(frozen=True)
class LanguageSupervision(Scheduled):
    """Images against captions that a frozen text encoder has embedded; then text is thrown away.

    A linear projection takes the encoder's features to the width of the text embeddings, and
    symmetric InfoNCE (CLIP, Radford et al., arXiv 2103.00020, figure 3) pulls each image to its
    caption, whose embedding was computed once and never moves (as in DeViSE, Frome et al.,
    NeurIPS 2013). The projection and the temperature are dropped at the end: the result is an
    encoder without a head, for kNN or for any method that brings a head. FiLM is folded; Token
    Replay (our reading) stays in the model, and the pretrained end of its path is the adapter as
    initialised.

    Trains on the captions of ``task.train``, one per image and epoch drawn at random where there
    are several; labels are not looked at unless there are no captions, when prompts with class
    names stand in for them (which is label information; ``caption_table`` tells).

    Attributes:
        text: Text encoder: "tiny-clip" or another model with a text tower, "sentence:FOLDER",
            "random:DIM"; see ``surefoot.models.text_encoders``.
        adapter: What trains: "film", "film-all", "token-replay", "last-blocks", or "none" (every
            weight of the encoder; give a lower learning rate).
        control: "shuffled" gives every image the captions of another; "random" puts a random
            vector in the place of each distinct caption's embedding. Both keep all else.
        temperature: Where the learnt temperature starts; clamped to 0.001 .. 0.5.
        multi_positive: Captions of one meaning are positives of each other: "on", "off", or
            "auto": where captions repeat.
        schedule: How long and how fast. Unless it says, the first 5 % of the steps warm up.
        blocks: Of "last-blocks": how many train, counted from the last.
        m: Of "token-replay": tokens in the bank.
        share: Likewise: one bank for all blocks, or one each.
        two_pass: Likewise: run the blocks twice.
        replay_loss: Likewise: weight of the squared difference to the pretrained tokens.

    Example:
        >>> captioned = sf.testing.small_vit()
        >>> method = sf.methods.LanguageSupervision(text="tiny-clip", epochs=1)
        >>> method.schedule.epochs, method.temperature
        (1, 0.07)
    """

    name: ClassVar[str] = "language"
    paper: ClassVar[str] = (
        "CLIP's loss, arXiv 2103.00020, against a frozen text encoder (DeViSE, NeurIPS 2013); "
        "token-replay: our reading"
    )

    text: str = "tiny-clip"
    adapter: AdapterKind = "film"
    control: Control = "none"
    temperature: float = 0.07
    multi_positive: Literal["auto", "on", "off"] = "auto"
    schedule: Schedule = ADAPTERS
    blocks: int = 2
    m: int = 10
    share: bool = True
    two_pass: bool = False
    replay_loss: float = 0.0

    def _check_fields(self) -> None:
        if not 0.001 <= self.temperature <= 0.5:
            raise ModelError(f"temperature is {self.temperature}", expected="0.001 to 0.5")
        if self.adapter not in (*_TUNED, "last-blocks"):
            raise ModelError(
                f"there is no adapter {self.adapter!r}",
                expected=f"one of {', '.join((*_TUNED, 'last-blocks'))}",
            )
        if self.control not in _BY:
            raise ModelError(f"there is no control {self.control!r}",
                             expected=f"one of {', '.join(_BY)}")  # fmt: skip
        if self.blocks < 0:
            raise ModelError(f"the last {self.blocks} blocks", expected="0 or more")
        if self.replay_loss < 0 or (self.replay_loss and self.adapter != "token-replay"):
            raise ModelError(
                f"replay_loss is {self.replay_loss} with the adapter {self.adapter}",
                expected='a weight >= 0, above 0 with the adapter "token-replay" only',
            )
        self.replay_adapter(0)

    def check(self, start: Model, task: Task) -> None:
        """Captions or labels, and a place for the adapter."""
        if task.train.captions is None:
            task.train.require_labels()
        self.prepare(start, seed=0)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The encoder after the last epoch, without a head; its text tower is the start's.

        ``run.memo`` may hold "text:SPEC" (a TextEncoder to use for ``text``) and "captions" (the
        folder where embeddings are kept).

        Raises:
            ModelError: The encoder has no place for the adapter, or the text encoder is none.
            DataError: The training images have neither captions nor labels.
        """
        run = (run or RunContext()).staged(self.name)
        table = caption_table(
            task.train, templates=task.templates, prompt_names=task.names_in_prompts
        )
        encoder = self.text_encoder(run, seed=seed)
        texts = embed_texts(
            encoder,
            table.texts,
            cache_dir=run.memo.get("captions"),
            device=pick_device(run.device),
        )
        if self.control == "shuffled":
            table = table.permuted(_derangement(len(table), seed=seed))
        model = self.prepare(start, seed=seed)
        multi = self.multi_positive == "on" or (self.multi_positive == "auto" and table.repeats)
        objective = Alignment(
            model,
            table,
            texts,
            temperature=self.temperature,
            multi_positive=multi,
            replay_loss=self.replay_loss,
            seed=seed,
        )
        train(
            objective,
            task.train,
            model.spec.transform.train(),
            _warmed(self.schedule, len(task.train)),
            seed=seed,
            run=run,
            eval_mode=self.adapter != "none",
            after_step=objective.clamp_,
        )
        return self._finished(model, table, encoder)

    def prepare(self, start: Model, *, seed: int) -> Model:
        """A copy of the start without a head in which only what is to train has gradients.

        Raises:
            ModelError: The encoder has no place for the adapter.
        """
        bare = start.with_head(None)
        if self.adapter in ("film", "film-all"):
            return insert(bare, FiLMAdapter("film" if self.adapter == "film" else "film_all"))
        if self.adapter == "token-replay":
            return insert(bare, self.replay_adapter(seed))
        bare.requires_grad_(False)
        chosen = None if self.adapter == "none" else _last(bare, self.blocks)
        for name, parameter in bare.encoder.named_parameters():
            parameter.requires_grad_(chosen is None or name in chosen)
        return bare

    def replay_adapter(self, seed: int) -> TokenReplayAdapter:
        """The adapter of "token-replay", its bank drawn from a seed."""
        return TokenReplayAdapter(self.m, self.share, self.two_pass, seed)

    def text_encoder(self, run: RunContext, *, seed: int) -> TextEncoder:
        """The frozen text encoder; for the random control, vectors of its width."""
        key = f"text:{self.text}"
        if key not in run.memo:
            run.memo[key] = text_encoder(self.text)
        found: TextEncoder = run.memo[key]
        return RandomText(found.dim, seed=seed) if self.control == "random" else found

    def _finished(self, model: Model, table: CaptionTable, encoder: TextEncoder) -> Model:
        """The model as it is kept: folded where that can be, with what it learnt from noted."""
        tuned = fold(model) if self.adapter.startswith("film") else model
        facts = (f"{_BY[self.control]}: {len(table):,} images, {len(table.texts):,} captions; "
                 f"{encoder.note()}")  # fmt: skip
        tuned.spec = replace(tuned.spec, notes=(*tuned.spec.notes, facts))
        return tuned.requires_grad_(True).eval()

    def label(self) -> str:
        """How reports name it; Token Replay always as our reading."""
        last = f"Last {self.blocks} block{'' if self.blocks == 1 else 's'}"
        return f"{_TUNED.get(self.adapter, last)}, {_BY[self.control]}"


def _derangement(n: int, *, seed: int) -> NDArray[np.int64]:
    """A seeded permutation (n,) that leaves nothing in its place: one cycle through all."""
    cycle = np.random.default_rng([seed, n]).permutation(n)
    order = np.empty(n, dtype=np.int64)
    order[cycle] = np.roll(cycle, -1)
    return order


def _warmed(schedule: Schedule, n: int) -> Schedule:
    if schedule.warmup_steps is not None:
        return schedule
    total = schedule.steps_per_epoch(n) * schedule.epochs
    return replace(schedule, warmup_steps=round(_WARMUP * total))


def _last(model: Model, blocks: int) -> Sequence[str]:
    """Names of the encoder's parameters from the last blocks on."""
    count = len(block_names(model.encoder))
    if blocks > count:
        raise ModelError(
            f"the last {blocks} blocks of {model.spec.name} cannot train: it has {count}",
            expected=f"blocks from 0 to {count}",
        )
    return [n for n, layer in layers(model.encoder).items() if layer > count - blocks]
