"""The inventory: what goes into a run, told before anything is trained or scored. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["MARKS", "Inventory", "Note", "Pictures", "SplitFacts"]

Kind = Literal["fact", "left out", "guessed", "warning", "chosen on test"]

MARKS: Mapping[str, str] = {"guessed": "~", "warning": "!", "chosen on test": "!"}
"""What stands before a line of the inventory, by the kind of what it tells."""

_MOST = 12
"""Lines, where the data are good: further shifts share one."""


class Note(str):
    """A sentence about data or a model that knows what kind it is; a string everywhere else.

    Attributes:
        kind: "fact"; "left out" of the rows that were read; "guessed", which ``--strict`` refuses;
            "warning"; "chosen on test": validation is made of images on which it is judged.
        rows: Rows that are left out.
        say: How to say it instead of having it guessed, or what mends it.
        short: The same in a few words, for the line of a split.

    Example:
        >>> from surefoot.inventory import Note
        >>> note = Note("3 of 9 rows are left out", "left out", rows=3)
        >>> note.kind, note == "3 of 9 rows are left out"
        ('left out', True)
    """

    kind: Kind
    rows: int
    say: str
    short: str

    def __new__(
        cls, text: str, kind: Kind = "fact", *, rows: int = 0, say: str = "", short: str = ""
    ) -> Note:
        """The sentence, with what it is."""
        note = super().__new__(cls, text)
        note.kind, note.rows, note.say, note.short = kind, rows, say, short
        return note

    @classmethod
    def of(cls, text: str) -> Note:
        """A plain string is a fact, unless it begins with WARNING."""
        if isinstance(text, cls):
            return text
        return cls(text, "warning" if text.startswith("WARNING") else "fact")

    @property
    def told(self) -> str:
        """The sentence, with what to do about it."""
        return f"{self}: say {self.say}" if self.say and self.kind == "guessed" else str(self)

    def to_json(self) -> dict[str, Any]:
        """Plain data, without what is empty."""
        own = {"rows": self.rows, "say": self.say, "short": self.short}
        return {"text": str(self), "kind": self.kind, **{k: v for k, v in own.items() if v}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Note:
        """The inverse of :meth:`to_json`."""
        return cls(**data)


@dataclass(frozen=True)
class Pictures:
    """What the images of a split look like, as they are stored.

    Attributes:
        looked: How many were looked at; the others are taken to be alike.
        modes: Pillow's mode -> images.
        width: Smallest and largest, in pixels.
        height: Likewise.
        range: Smallest and largest value of any channel, before it is brought to eight bits.
    """

    looked: int
    modes: Mapping[str, int]
    width: tuple[int, int]
    height: tuple[int, int]
    range: tuple[float, float]

    def shown(self, n: int) -> str:
        """In a few words, of a split of n images."""
        modes = " ".join(f"{m} {c:,}" if len(self.modes) > 1 else m for m, c in self.modes.items())
        ends = [f"{w}x{h}" for w, h in zip(self.width, self.height, strict=True)]
        sizes = " to ".join(dict.fromkeys(ends))
        seen = f" ({self.looked} looked at)" if self.looked < n else ""
        return f"{modes}, {sizes}, {self.range[0]:g}-{self.range[1]:g}{seen}"


@dataclass(frozen=True)
class SplitFacts:
    """One split.

    Attributes:
        name: "train", "val", "test", a shift, "pairs" or "images".
        kept: Images.
        read: Rows or files that were read; the difference was left out.
        classes: How many of the task's classes occur; None without labels.
        balance: Images of the smallest class that occurs and of the largest.
        counted: Which answers count, where not all classes do, and by whose word.
        pictures: What they look like; None where nobody looked.
        notes: What was left out and why, guessed, or is strange.
    """

    name: str
    kept: int
    read: int
    classes: int | None = None
    balance: tuple[int, int] = (0, 0)
    counted: str = ""
    pictures: Pictures | None = None
    notes: tuple[Note, ...] = ()

    def line(self, classes: int) -> str:
        """In one line, of a task with so many classes."""
        short = [n.short for n in self.notes if n.short]
        parts = [
            f"{self.kept:,}" + (f" of {self.read:,} rows" if self.read != self.kept else ""),
            self._balance(classes),
            self.counted,
            "" if self.pictures is None else self.pictures.shown(self.kept),
            *dict.fromkeys(short),
        ]
        return "; ".join(filter(None, parts))

    def _balance(self, classes: int) -> str:
        if self.classes is None:
            return ""
        low, high = self.balance
        each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        if self.classes == classes:
            return f"{each} a class"
        return f"{self.classes} of {classes} classes, {each} each"


@dataclass(frozen=True)
class Inventory:
    """What a command is about to work on: data and model, what was guessed, what is strange.

    One function makes it (:func:`surefoot.recipes.inventory.take_inventory`), every command shows
    it, run.json keeps it, and the report prints it.

    Attributes:
        name: Of the task.
        classes: How many.
        metric: Of the ID splits.
        splits: In order.
        compared: How many pairs of splits were compared by content.
        shared: Pairs that share images, and what follows.
        model: Name of a model -> its record, fact by fact: [value, where it was read].
        head: Which head is scored.
        prompts: Two examples, where text is used.
        notes: About the whole: shared images, what was guessed, what is strange.

    Example:
        >>> found = sf.take_inventory(task, model)
        >>> found.splits[0].kept, found.guessed, found == sf.Inventory.from_json(found.to_json())
        (24, (), True)
    """

    name: str
    classes: int = 0
    metric: str = ""
    splits: tuple[SplitFacts, ...] = ()
    compared: int = 0
    shared: tuple[Note, ...] = ()
    model: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    head: str = ""
    prompts: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def guessed(self) -> tuple[Note, ...]:
        """Everything that was guessed, each once."""
        return self._of("guessed")

    @property
    def chosen_on_test(self) -> tuple[Note, ...]:
        """Where validation is made of test images."""
        return self._of("chosen on test")

    def _of(self, kind: Kind) -> tuple[Note, ...]:
        every = (*self.shared, *self.notes, *(n for s in self.splits for n in s.notes))
        return tuple({str(n): n for n in every if n.kind == kind}.values())

    def lines(self) -> list[str]:
        """The block for a terminal or a page: a mark, a name and facts a line."""
        masked = ", all count" if self.metric and not any(s.counted for s in self.splits) else ""
        classes = f"{self.classes} classes{masked}" if self.classes else ""
        what = ", ".join(filter(None, (classes, self.metric)))
        top = [("", "data", f"{self.name}: {what}" if what else self.name)]
        end = [
            ("", "model", f"{name}: {_shown(record)}") for name, record in self.model.items()
        ] + [("", "head", self.head), ("", "prompts", "; ".join(self.prompts))]
        end = [row for row in end if row[2]]
        pairs = f"{self.compared} pair{'s' * (self.compared != 1)}"
        none = f"no image is in two splits ({pairs} compared)"
        shared = [(MARKS.get(n.kind, ""), "shared", str(n)) for n in self.shared]
        shared = shared or [("", "shared", none)] * bool(self.compared)
        room = _MOST - len(top) - len(end) - len(shared)
        rows = [*top, *self._split_rows(room), *shared, *end]
        rows += [(MARKS.get(n.kind, ""), "", n.told) for n in self.notes]
        width = max(len(name) for _, name, _ in rows)
        return [f"{mark or ' '} {name:<{width}}  {text}" for mark, name, text in rows]

    def _split_rows(self, room: int) -> Iterable[tuple[str, str, str]]:
        """A line for each split and for what its line does not say; the last ones together."""
        apart = len(self.splits) if len(self.splits) <= room else max(room - 1, 1)
        for split in self.splits[:apart]:
            marks = [MARKS[n.kind] for n in split.notes if n.kind in MARKS]
            yield "".join(sorted(set(marks)))[:1], split.name, split.line(self.classes)
        rest = self.splits[apart:]
        if rest:
            sizes = ", ".join(f"{s.name} {s.kept:,}" for s in rest)
            said = dict.fromkeys(text for s in rest for text in (s.counted,) if text)
            yield "", "others", "; ".join([sizes, *said])
        for note in {n: None for s in self.splits for n in s.notes if not n.short}:
            if note.kind != "fact":
                yield MARKS.get(note.kind, ""), "", note.told

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        splits = [{**asdict(s), "notes": [n.to_json() for n in s.notes]} for s in self.splits]
        own = {n: [note.to_json() for note in getattr(self, n)] for n in ("shared", "notes")}
        return {**asdict(self), "splits": splits, **own, "lines": self.lines()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Inventory:
        """The inverse of :meth:`to_json`."""
        plain = {k: v for k, v in data.items() if k != "lines"}
        splits = tuple(_split(s) for s in plain.pop("splits"))
        own = {n: tuple(Note.from_json(x) for x in plain[n]) for n in ("shared", "notes")}
        return cls(**{**plain, **own, "prompts": tuple(plain["prompts"]), "splits": splits})


def _split(data: Mapping[str, Any]) -> SplitFacts:
    seen = data["pictures"]
    ends = {} if seen is None else {k: tuple(seen[k]) for k in ("width", "height", "range")}
    pictures = None if seen is None else Pictures(**{**seen, **ends})
    notes = tuple(Note.from_json(n) for n in data["notes"])
    return SplitFacts(**{**data, "balance": tuple(data["balance"]), "pictures": pictures,
                         "notes": notes})  # fmt: skip


def _shown(record: Mapping[str, Sequence[str]]) -> str:
    """A model's record in one line; how images are shown to it comes first."""
    wanted = ("architecture", "activation", "transform", "pooling")
    said = [str(record[name][0]) for name in wanted if name in record]
    text = {"yes": "trained with text", "no": "trained without text"}
    said += filter(None, [text.get(str(record.get("text", [""])[0]), "")])
    return "; ".join(said) if said else "no record of what the weights want"
