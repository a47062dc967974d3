"""What a model is and what its weights want, fact by fact, each with where it was read.

Weights alone do not say how images are to be shown to them, which activation they were trained
with or how tokens become one feature. Records do: open_clip's and timm's of each pretrained tag,
the configuration beside the weights, the training arguments in a checkpoint, shapes. Where records
agree, that is taken; where they differ, the model is refused with the choices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

from torch import nn

from ..errors import ModelError
from ..transforms import TransformSpec
from .activation import activation_of
from .names import unknown_name

__all__ = ["Fact", "ModelRecord", "ModelSpec", "settle", "shown_transform"]


class Fact(NamedTuple):
    """A value, and where it was read.

    Attributes:
        value: In words; "unknown" where nothing says.
        source: A file, a library's record of a tag, shapes, "as asked for".
    """

    value: str
    source: str = ""


@dataclass(frozen=True)
class ModelRecord:
    """Facts about the weights as they were read; what a method changes later is not in here.

    Attributes:
        architecture: Its name in the library.
        tensors: How many of the file's were taken, which were not.
        activation: GELU, QuickGELU, ...
        transform: Size, resizing, cropping, mean and standard deviation.
        pooling: How tokens or a feature map become one feature.
        head: The file's classifier: none, kept, or left out.
        text: Whether the image encoder was trained with text: "yes", "no" or "unknown".
        licence: Of the weights.
    """

    architecture: Fact
    tensors: Fact
    activation: Fact
    transform: Fact
    pooling: Fact
    head: Fact
    text: Fact
    licence: Fact

    def lines(self) -> list[str]:
        """A line for each fact: name, value, where it was read."""
        facts = {f.name: getattr(self, f.name) for f in fields(self)}
        return [
            f"{name:<12}  {fact.value}{f' ({fact.source})' if fact.source else ''}"
            for name, fact in facts.items()
        ]

    def to_json(self) -> dict[str, list[str]]:
        """Name -> [value, source]."""
        return {name: list(fact) for name, fact in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Sequence[str]]) -> ModelRecord:
        """The inverse of :meth:`to_json`."""
        return cls(**{f.name: Fact(*data.get(f.name, ("unknown",))) for f in fields(cls)})

    @property
    def saw_text(self) -> bool | None:
        """The fact ``text``, None where it is unknown."""
        return {"yes": True, "no": False}.get(self.text.value)


@dataclass(frozen=True)
class ModelSpec:
    """What a model is, apart from its numbers; goes through JSON unchanged.

    Attributes:
        name: Short name for tables and plots ("tiny-clip", "ViT-B-16/openai").
        source: What ``surefoot.load`` was given, so that the start of a run can be had again.
        builder: What rebuilds the bare module: ``{"kind": "timm", "name": ..., ...}``. Each
            loading module names its kind and owns the keys.
        transform: How images become tensors, for training and for evaluation.
        normalize: The head works on l2-normalised features (contrastive models) or on raw ones.
        saw_text: The image encoder was trained with text; None where nothing says.
        licence: Licence of the weights, "unknown" where the source does not say.
        notes: Facts for the report, one sentence each (a card, a reading, a warning).
        record: What the weights want and where that was read; None for what surefoot ships with,
            and what older versions wrote.
    """

    name: str
    source: str
    builder: Mapping[str, Any]
    transform: TransformSpec
    normalize: bool
    saw_text: bool | None
    licence: str = "unknown"
    notes: tuple[str, ...] = ()
    record: ModelRecord | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary that JSON can hold."""
        plain = asdict(replace(self, record=None))
        del plain["record"]
        return plain if self.record is None else {**plain, "record": self.record.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelSpec:
        """The inverse of :meth:`to_json`."""
        fields = dict(data)
        fields["transform"] = TransformSpec.from_json(fields["transform"])
        fields["notes"] = tuple(fields.get("notes", ()))
        record = fields.get("record")
        fields["record"] = None if record is None else ModelRecord.from_json(record)
        return cls(**fields)


def make_record(
    encoder: nn.Module, transform: TransformSpec, facts: Mapping[str, Fact], /, **others: Fact
) -> ModelRecord:
    """The record of an encoder.

    Args:
        encoder: Tells its activation.
        transform: How images become tensors.
        facts: What is known of these weights; of ``activation`` and ``transform`` the source.
        others: What holds where ``facts`` does not say.
    """
    known = {
        "tensors": Fact("none: random weights, never trained"),
        "head": Fact("none"),
        "licence": Fact("unknown"),
        **others,
        **facts,
    }
    known["activation"] = Fact(activation_of(encoder), known["activation"].source)
    known["transform"] = Fact(shown_transform(transform), known["transform"].source)
    return ModelRecord(**known)


def shown_transform(spec: TransformSpec) -> str:
    """A transform in one line."""
    height, width = spec.size
    resized = f"resize {spec.resize} {spec.resize_mode} {spec.interpolation}, " * bool(spec.resize)
    mean, std = ("/".join(f"{v:.4g}" for v in values) for values in (spec.mean, spec.std))
    return f"{resized}crop {height}x{width}, mean {mean}, std {std}"


def settle(
    name: str,
    records: Mapping[str, Mapping[str, Any]],
    wanted: Iterable[str],
    options: Mapping[str, str],
    said: str = "",
) -> tuple[dict[str, Any], str]:
    """What the records of an architecture's tags, and the user, say about these fields.

    Args:
        name: The architecture, with its scheme.
        records: Tag -> its record, one or more.
        wanted: Fields in which the records must agree.
        options: Behind the model's name: ``tag`` chooses a record, ``mean`` and ``std`` replace it.
        said: Where the record was read, if it is no tag's.

    Returns:
        Field -> value, and where they were read.

    Raises:
        ModelError: The records differ, or the user's mean has no standard deviation.
        UnknownName: No such tag.
    """
    tag = options.get("tag")
    if tag is not None and tag not in records:
        raise unknown_name(f"tag of {name}", tag, records, fix="leave ?tag= out, or choose one")
    chosen = {tag: records[tag]} if tag is not None else records
    asked = {key: triple(options[key]) for key in ("mean", "std") if key in options}
    same = {t: r for t, r in chosen.items() if all(triple(r[k]) == v for k, v in asked.items())}
    values: dict[str, Any] = dict(asked)
    for key in (k for k in wanted if k not in asked):
        # The mean of one record says nothing about the deviation that goes with another mean.
        pool = same if asked and key == "std" else same or chosen
        found = {_plain(key, record.get(key)) for record in pool.values()}
        if len(found) != 1:
            raise _differ(name, chosen, key, found)
        values[key] = found.pop()
    label = said or f"the record of {name}/{next(iter(chosen))}".rstrip("/")
    if len(chosen) > 1:
        label = f"the {len(chosen)} records of {name}, which agree"
    if asked:
        label = f"{' and '.join(asked)} as asked for, the rest from {label}"
    return values, label


def triple(value: Any) -> tuple[float, ...]:
    """A number for each channel, from one, from three, or from their text with commas."""
    numbers = [float(v) for v in value.split(",")] if isinstance(value, str) else value
    numbers = [numbers] if isinstance(numbers, (int, float)) else list(numbers)
    return tuple(float(v) for v in (numbers * 3 if len(numbers) == 1 else numbers))


def _plain(key: str, value: Any) -> Any:
    return triple(value) if key in ("mean", "std") else value


def _differ(
    name: str, records: Mapping[str, Mapping[str, Any]], key: str, found: Iterable[Any]
) -> ModelError:
    by_value: dict[Any, list[str]] = {}
    for tag, record in records.items():
        by_value.setdefault(_plain(key, record.get(key)), []).append(tag)
    listed = "".join(
        f"\n    {key} {value}: {', '.join(tags[:6])}{', ...' * (len(tags) > 6)}"
        for value, tags in by_value.items()
    )
    return ModelError(
        f"nothing tells which {key} these weights of {name} want; its published ones differ:"
        f"{listed}",
        expected="the values that the weights were trained with; others lose accuracy unnoticed",
        fix="append ?tag=TAG, with the tag that the weights began from, or ?mean=M&std=S (one "
        "number, or three with commas)",
    )
