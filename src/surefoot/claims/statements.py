"""The claims, each as comparisons that can be decided. Written before the study ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .plan import LANGUAGE

__all__ = ["CLAIMS", "Claim", "Part", "Side", "entrants_of"]

Pick = Literal["start", "half", "id_val", "end"]
On = Literal["test", "shifts", "far"]


@dataclass(frozen=True)
class Side:
    """A model in a comparison.

    Attributes:
        entrant: Key of the method in the plan.
        pick: Where on its path: the start, 0.5, the alpha that ID validation chose, the end.
    """

    entrant: str
    pick: Pick = "end"


@dataclass(frozen=True)
class Part:
    """One comparison: ``a`` is better than ``b``, or not worse by more than the margin.

    Attributes:
        text: In words.
        a: The side that the claim favours.
        b: The other.
        on: ID test, the mean over all shifts, or over the large ones.
        not_worse: Only not worse (non-inferiority by the plan's margin).
        counts: False: shown beside the claim, without a say in the verdict.
    """

    text: str
    a: Side
    b: Side
    on: On
    not_worse: bool = False
    counts: bool = True


@dataclass(frozen=True)
class Claim:
    """A sentence of the papers and what it takes for it to hold: every part of it.

    Attributes:
        number: As in docs/claims.md.
        text: The claim.
        source: Where it is made.
        parts: Set name -> comparisons; a set that is missing is one the claim does not apply to.
        why_not: Set name -> why it does not apply.
    """

    number: int
    text: str
    source: str
    parts: dict[str, tuple[Part, ...]]
    why_not: dict[str, str]


_NO_TEXT = "the encoder has no text tower, so there is no zero-shot model"


def _both(text: str, a: Side, b: Side, *, counts: bool = True) -> tuple[Part, Part]:
    return (
        Part(f"{text}, ID", a, b, "test", counts=counts),
        Part(f"{text}, under shift", a, b, "shifts", counts=counts),
    )


def _wise(tuned: str, name: str) -> tuple[Part, ...]:
    half, end = Side(tuned, "half"), Side(tuned)
    return (
        Part(f"WiSE-FT at 0.5 above {name}, under shift", half, end, "shifts"),
        Part(f"WiSE-FT at 0.5 not worse than {name}, ID", half, end, "test", not_worse=True),
    )


def _chosen(tuned: str, name: str, start: str) -> tuple[Part, ...]:
    chosen = Side(tuned, "id_val")
    return (
        Part(f"the chosen alpha above {start}, ID", chosen, Side(tuned, "start"), "test"),
        Part(f"the chosen alpha above {name}, ID", chosen, Side(tuned), "test"),
    )


def _probe_or_tune() -> tuple[Part, ...]:
    ft, lp = Side("ft-random"), Side("lp")
    return (
        Part("FT (random head) above LP, ID", ft, lp, "test"),
        Part("LP above FT (random head), under the large shifts", lp, ft, "far"),
    )


def _lp_ft(zero_shot: bool) -> tuple[Part, ...]:
    lp_ft = Side("lp-ft")
    parts = _both("LP-FT above FT (random head)", lp_ft, Side("ft-random"))
    if not zero_shot:
        return parts
    return (*parts, *_both("LP-FT above FT (zero-shot head)", lp_ft, Side("ft"), counts=False))


def _flyp() -> tuple[Part, ...]:
    parts: list[Part] = []
    for pick, name in (("end", "{}"), ("half", "WiSE-FT 0.5 of {}")):
        mine = Side("flyp", pick)  # type: ignore[arg-type]
        for key, label in (("ft", "FT"), ("lp-ft", "LP-FT")):
            text = f"{name.format('FLYP')} above {name.format(label)}"
            parts += _both(text, mine, Side(key, pick))  # type: ignore[arg-type]
    return tuple(parts)


def _language() -> tuple[Part, ...]:
    parts: list[Part] = []
    for key, label in (("film", "FiLM"), ("token-replay", "Token Replay (our reading)")):
        tuned = Side(key, "id_val")
        parts += _both(f"{label} above the pretrained encoder, kNN", tuned, Side(key, "start"))
        for control, name in (("shuffled", "shuffled captions"), ("random", "random vectors")):
            other = Side(f"{key}-{control}", "id_val")
            parts += _both(f"{label} above {name}, kNN", tuned, other)
    return tuple(parts)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        1,
        "Fine-tuning lowers accuracy under shift below zero-shot",
        "WiSE-FT, arXiv 2109.01903, section 1",
        {
            "pictograms": (
                Part("zero-shot above FT, under shift", Side("ft", "start"), Side("ft"), "shifts"),
            )
        },
        {"cifar10": _NO_TEXT},
    ),
    Claim(
        2,
        "WiSE-FT at 0.5 beats fine-tuning under shift and is not worse ID",
        "WiSE-FT, arXiv 2109.01903, table 1",
        {"pictograms": _wise("ft", "FT"), "cifar10": _wise("lp-ft", "LP-FT (from the probe)")},
        {},
    ),
    Claim(
        3,
        "Some alpha, chosen on ID validation, beats both ends ID",
        "WiSE-FT, arXiv 2109.01903, figure 1",
        {
            "pictograms": _chosen("ft", "FT", "zero-shot"),
            "cifar10": _chosen("lp-ft", "LP-FT", "the probe"),
        },
        {},
    ),
    Claim(
        4,
        "FT beats LP ID, LP beats FT when the shift is large",
        "LP-FT, arXiv 2202.10054, table 1",
        {"pictograms": _probe_or_tune(), "cifar10": _probe_or_tune()},
        {},
    ),
    Claim(
        5,
        "LP-FT beats FT from a random head, ID and under shift",
        "LP-FT, arXiv 2202.10054, tables 1 and 2",
        {"pictograms": _lp_ft(True), "cifar10": _lp_ft(False)},
        {},
    ),
    Claim(
        6,
        "FLYP beats FT and LP-FT, ID and under shift, alone and with WiSE-FT",
        "FLYP, arXiv 2212.00638, table 1",
        {"pictograms": _flyp()},
        {"cifar10": _NO_TEXT},
    ),
    Claim(
        7,
        "Adapters tuned on language raise kNN accuracy above the pretrained encoder's and the "
        "controls'",
        "Misra, a talk on weak language supervision of vision encoders",
        {LANGUAGE: _language()},
        {"cifar10": "the encoder is convolutional; the adapters sit in a vision transformer"},
    ),
)
"""1 to 7 are decided here; 8 (the theory) and 9 (cost) have rules of their own."""


def entrants_of(name: str) -> list[str]:
    """Keys of the methods that claims on a data set speak of, sorted."""
    parts = [part for claim in CLAIMS for part in claim.parts.get(name, ())]
    return sorted({side.entrant for part in parts for side in (part.a, part.b)})
