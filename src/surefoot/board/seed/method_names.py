"""Names of methods as the tables of papers spell them, taken apart. No torch here.

"WiSE-FT E2E opt a" is WiSE-FT, end to end, alpha chosen by the oracle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import BoardError

__all__ = ["MethodName", "method_name"]


@dataclass(frozen=True)
class MethodName:
    """A method as a table names it, taken apart.

    Attributes:
        model_name: Without encoder, alpha and mode: "WiSE-FT".
        method: On the board: "WiSE-FT", "Fine-tuning"; "" where the name says too little.
        setting: "end to end", "linear classifier", ...
        alpha: Fixed by the name; None otherwise.
        selection: "fixed", "oracle" or "" (not said, or there is no alpha).
        quoted: The number is another paper's, quoted: the CLIP paper's, marked "[Radford]".
    """

    model_name: str
    method: str
    setting: str = ""
    alpha: float | None = None
    selection: str = ""
    quoted: bool = False


_METHODS = {
    "Zero-shot": "Zero-shot classification",
    "Zeroshot": "Zero-shot classification",
    "Fine-tuned": "Fine-tuning",
    "FT": "Fine-tuning",
    "LP": "Linear probing",
    "Linear": "Linear probing",
    "kNN": "kNN classification",
    "LP-FT": "LP-FT",
    "FLYP": "FLYP",
    "WiSE-FT": "WiSE-FT",
}
_WORDS = {"E2E": "end to end", "LC": "linear classifier"}
_ALPHA = re.compile(r"\ba=(\d(?:\.\d+)?)$")
_ORACLE = re.compile(r"\bopt(?: a)?$")


def method_name(name: str) -> MethodName:
    """Take a method's name in the CSV files apart.

    Raises:
        BoardError: A name that no rule knows.
    """
    rest, selection, alpha, settings = name, "", None, []
    if found := _ALPHA.search(rest):
        rest, selection, alpha = rest[: found.start()].strip(), "fixed", float(found.group(1))
    elif found := _ORACLE.search(rest):
        rest, selection = rest[: found.start()].strip(), "oracle"
    quoted = rest.endswith("[Radford]")
    rest = rest.removesuffix("[Radford]").strip()
    if rest.endswith("(PyTorch)"):
        rest = rest.removesuffix("(PyTorch)").strip()
        settings.append("evaluated in PyTorch")
    base, _, mode = rest.partition(" ")
    if mode:
        if mode not in _WORDS:
            raise BoardError(f"the published method {name!r} cannot be taken apart")
        settings.insert(0, _WORDS[mode])
    if base not in _METHODS:
        raise BoardError(
            f"the published method {name!r} is not known", expected=f"one of {', '.join(_METHODS)}"
        )
    method = _METHODS[base]
    if method == "Fine-tuning" and mode == "LC":
        method = "Linear probing"  # only the head was trained
    shown = {"Zeroshot": "Zero-shot"}.get(base, base)
    return MethodName(shown, method, ", ".join(settings), alpha, selection, quoted)
