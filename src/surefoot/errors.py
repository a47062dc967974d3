"""Every error that surefoot raises on purpose, in one tree.

::

    SurefootError                      all of them; the command line prints it and exits 1
    ├── UnknownName (LookupError)      a name that no registry holds; carries the nearest ones
    ├── MissingDependency (ImportError)  an optional package that is not installed
    ├── DataError (ValueError)         images, labels, tables, class maps
    │   ├── BadImages                  files that are truncated or not images
    │   └── ClassMismatch              classes that differ and are not joined by a class map
    ├── ModelError (ValueError)        models and checkpoints
    │   ├── CheckpointError            keys, shapes, dtypes, NaN, or an unreadable file
    │   ├── UnsafePickle               a pickle that wants to build more than tensors
    │   └── DownloadUnavailable        weights that must be fetched, and no network
    ├── WeightsError (ValueError)      arithmetic on weights that do not fit together
    ├── AlphaError (ValueError)        a mixing coefficient outside [0, 1]
    ├── RecipeError (ValueError)       a recipe that does not validate; carries every problem
    ├── Refused                        several of these at once, before anything is begun
    ├── RunError                       a run folder that exists, is missing, or is unfinished
    └── TrainingError                  training that cannot go on (loss not finite, no memory)

Each message has three parts: what was wrong, what was expected, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "AlphaError",
    "BadImages",
    "CheckpointError",
    "ClassMismatch",
    "DataError",
    "DownloadUnavailable",
    "MissingDependency",
    "ModelError",
    "RecipeError",
    "Refused",
    "RunError",
    "SurefootError",
    "TrainingError",
    "UnknownName",
    "UnsafePickle",
    "WeightsError",
]


COMMAND_LINE = "the command line"
"""Where the problems of a recipe are that was put together from options."""


class SurefootError(Exception):
    """What was wrong, what was expected, what to do.

    Args:
        wrong: One sentence that names the offending thing and its value.
        expected: What would have been right.
        fix: What the user can do now.

    Example:
        >>> try:
        ...     sf.load("tiny-klip")
        ... except sf.SurefootError as error:
        ...     print(error.wrong)
        There is no model named 'tiny-klip'. Did you mean 'tiny-clip' or 'tiny-dino'?
    """

    def __init__(self, wrong: str, *, expected: str = "", fix: str = "") -> None:
        self.wrong = wrong
        self.expected = expected
        self.fix = fix
        super().__init__(wrong)

    def __str__(self) -> str:
        lines = [self.wrong]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.fix:
            lines.append(f"  to fix:   {self.fix}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        """An error of another process arrives whole, whatever its class is made from."""
        return _again, (type(self), self.args, dict(vars(self)))


def _again(
    kind: type[SurefootError], args: tuple[Any, ...], state: dict[str, Any]
) -> SurefootError:
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


_LISTED = {
    "method": "methods",
    "model": "models",
    "dataset": "datasets",
    "recipe": "recipes",
}
"""What `surefoot ls` lists, by the kind of a name."""


class UnknownName(SurefootError, LookupError):
    """A name that no registry holds.

    Attributes:
        name: What was asked for.
        near: The nearest existing names, best first.
    """

    def __init__(self, kind: str, name: str, known: Sequence[str], near: Sequence[str]) -> None:
        self.name = name
        self.near = tuple(near)
        guess = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        listed = _LISTED.get(kind)
        super().__init__(
            f"There is no {kind} named {name!r}.{guess}",
            expected=f"one of {', '.join(sorted(known))}" if known else "",
            fix=f"`surefoot ls {listed}` lists what exists" if listed else "correct the name",
        )


class MissingDependency(SurefootError, ImportError):
    """An optional package is needed and not installed."""


class DataError(SurefootError, ValueError):
    """Something is wrong with images, labels, tables or class maps."""


class BadImages(DataError):
    """Some files are truncated or are not images.

    Attributes:
        bad: (id, reason) of every such file.
        where: What they are of.
    """

    def __init__(
        self,
        bad: Sequence[tuple[str, str]],
        *,
        where: str,
        fix: str = ", or go on without them with --skip-bad",
        listed: str | None = None,
    ) -> None:
        self.bad, self.where = tuple(bad), where
        listed = _listed(self.bad, 10) if listed is None else listed
        super().__init__(
            f"{_files(self.bad)} of {where} cannot be used as images:{listed}",
            expected="files that are there and that Pillow can decode",
            fix=f"repair or remove them{fix}",
        )

    @classmethod
    def of_splits(cls, found: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]) -> BadImages:
        """One error for several splits, counted by split.

        Args:
            found: (name of the split, where it is from, (id, reason) of every bad file of it).
        """
        each = max(3, 30 // len(found)) if len(found) > 1 else 10
        hidden = any(len(bad) > each for _, _, bad in found)
        fix = ", or go on without them with --skip-bad" + (
            " (`surefoot check` of a folder, a table or a recipe lists all of them)" * hidden
        )
        if len(found) == 1:
            name, source, bad = found[0]
            return cls(bad, where=_named(name, source), fix=fix)
        parts = "".join(
            f"\n  {_files(bad)} of {_named(name, source)}:{_listed(bad, each)}"
            for name, source, bad in found
        )
        every = [one for _, _, bad in found for one in bad]
        return cls(every, where=f"{len(found)} splits", fix=fix, listed=parts)


def _files(bad: Sequence[tuple[str, str]]) -> str:
    return f"{len(bad)} file{'s' * (len(bad) != 1)}"


def _named(name: str, source: str) -> str:
    return ", ".join(filter(None, (name, source)))


def _listed(bad: Sequence[tuple[str, str]], most: int) -> str:
    """The first of them, a line each, and how many more there are."""
    shown = "".join(f"\n    {name}: {why}" for name, why in bad[:most])
    return shown + (f"\n    ... and {len(bad) - most} more" if len(bad) > most else "")


class ClassMismatch(DataError):
    """The classes of two sets differ and no class map joins them."""


class ModelError(SurefootError, ValueError):
    """A model cannot be built, loaded or used as asked."""


class CheckpointError(ModelError):
    """A checkpoint has other keys, shapes or dtypes, holds NaN, or cannot be read."""


class UnsafePickle(ModelError):
    """A pickle wants to build something other than tensors and plain containers."""


class DownloadUnavailable(ModelError):
    """Weights must be downloaded and cannot be."""


class WeightsError(SurefootError, ValueError):
    """Weights that do not fit together: keys, shapes, dtypes, or values that are not finite."""


class AlphaError(SurefootError, ValueError):
    """A mixing coefficient outside [0, 1] without leave to extrapolate."""


class RecipeError(SurefootError, ValueError):
    """A recipe does not validate.

    Attributes:
        problems: Every problem found, one sentence each.
    """

    def __init__(self, problems: Sequence[str], *, where: str = "the recipe") -> None:
        self.problems = tuple(problems)
        listed = "".join(f"\n    - {p}" for p in self.problems)
        count = len(self.problems)
        is_recipe = where != COMMAND_LINE
        super().__init__(
            f"{where} has {count} problem{'s' if count != 1 else ''}:{listed}",
            expected="a recipe as `surefoot show recipe` describes" if is_recipe else "",
            fix="mend these and run `surefoot check` again"
            if is_recipe
            else "correct the options (--help describes them)",
        )


class Refused(SurefootError):
    """Several things are wrong, and nothing was begun.

    Attributes:
        problems: Each as an error of its own.
    """

    def __init__(self, problems: Sequence[SurefootError]) -> None:
        self.problems = tuple(problems)
        listed = "".join("\n  - " + str(p).replace("\n", "\n    ") for p in self.problems)
        super().__init__(f"{len(self.problems)} problems, and nothing was begun:{listed}")

    @classmethod
    def of(cls, problems: Sequence[SurefootError]) -> SurefootError:
        """One problem as it is, several in one list."""
        return problems[0] if len(problems) == 1 else cls(problems)


class RunError(SurefootError):
    """A run folder exists already, is missing, or is unfinished."""


class TrainingError(SurefootError):
    """Training cannot go on: the loss is not finite, or memory ran out at one image."""
