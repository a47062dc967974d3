"""The table of a report as CSV for programs, LaTeX and Markdown for papers. No torch here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..records import write_atomic
from ..runs import Study
from .findings import findings
from .gather import gather
from .paired import Pairing
from .table import Row, Shown, Table, build_table
from .terminal import legend
from .view import MEAN, Entry, View

__all__ = ["SUFFIXES", "write_table"]

_CSV = ("method", "alpha", "alpha_by", "split", "domain", "synthetic", "metric", "value", "low",
        "high", "interval", "images", "seeds", "mark", "runs")  # fmt: skip


def write_table(study: Study, path: str | Path) -> None:
    r"""Write every number of a study with its interval, its mark, and what must be said of it.

    ``.csv``: a row per number, fractions in full; ``mark`` is best, tie or oracle, and lines that
    begin with ``#`` are notes (``pandas.read_csv(..., comment="#")``). ``.tex``: a ``tabular`` for
    ``\usepackage{booktabs}``, notes as comments. ``.md``: a table with its notes below.

    Args:
        study: One run or several.
        path: Its suffix says the format, one of :data:`SUFFIXES`.
    """
    view = gather(study)
    pairing = Pairing(view)
    table = build_table(view, pairing)
    notes = [view.title, *legend(table), *findings(view, pairing).caveats]
    write_atomic(path, SUFFIXES[Path(path).suffix](view, table, notes))


def _csv(view: View, table: Table, notes: Sequence[str]) -> str:
    out = io.StringIO()
    out.writelines(f"# {_line(n)}\n" for n in notes)
    writer, quoting = (csv.DictWriter(out, _CSV, lineterminator="\n", quoting=q)
                       for q in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))  # fmt: skip
    writer.writeheader()

    def write(row: dict[str, object]) -> None:
        # Unquoted, a # would begin a comment.
        (quoting if any("#" in str(v) for v in row.values()) else writer).writerow(row)

    for entry, row in zip(view.entries, table.rows, strict=True):
        for column, cell in zip(table.columns, row.cells, strict=True):
            if cell.text and column.kind == "masked":
                write(_masked(view, entry, column.key.partition("\0")[0], cell))
            elif cell.text:
                write(_tidy(view, entry, column.key, cell))
    return out.getvalue()


def _tidy(view: View, e: Entry, key: str, shown: Shown) -> dict[str, object]:
    """One number with all that belongs to it."""
    cell = e.cells[key]
    split = view.split(key)
    have, reach = bool(cell.interval), cell.interval
    metrics = {s.metric for s in view.shifts} if key == MEAN else {split.metric if split else ""}
    runs = dict.fromkeys(r.path.name for r, _ in next(iter(e.sources.values()), ()))
    return {
        "method": view.labels.get(e.group, e.label),
        "alpha": " ".join(f"{a:.10g}" for a in dict.fromkeys(cell.alphas)) if e.rules else "",
        "alpha_by": " ".join(e.rules),
        "split": key,
        "domain": "OOD" if key == MEAN else split.domain if split else "",
        "synthetic": "" if split is None else str(split.synthetic).lower(),
        "metric": metrics.pop() if len(metrics) == 1 else "",
        "value": repr(float(cell.value)),
        "low": repr(float(reach.low)) if have else "",
        "high": repr(float(reach.high)) if have else "",
        "interval": reach.kind if have else f"none: {reach.reason}",
        "images": cell.n,
        "seeds": " ".join(str(s) for s, _ in cell.seeds if s is not None),
        "mark": shown.state,
        "runs": " ".join(runs),
    }


def _masked(view: View, e: Entry, key: str, shown: Shown) -> dict[str, object]:
    """The number with only the classes that occur, which has no interval."""
    tidy, found = _tidy(view, e, key, shown), e.cells[key].masked
    value, words = found if found is not None else ("", "")
    return {**tidy, "metric": f"{tidy['metric']}, {words}", "value": repr(value), "low": "",
            "high": "", "interval": ""}  # fmt: skip


def _latex(view: View, table: Table, notes: Sequence[str]) -> str:
    heads = ["Model", *(c.label for c in table.columns)]
    below = ["", *(c.note for c in table.columns)]
    lines = [f"% {_line(n)}" for n in (*notes, "for \\usepackage{booktabs}")]
    lines += [f"\\begin{{tabular}}{{l{'r' * len(table.columns)}}}", "\\toprule",
              _latex_row([_tex(h) for h in heads]),
              _latex_row([f"{{\\scriptsize {_tex(n)}}}" if n else "" for n in below]),
              "\\midrule"]  # fmt: skip
    for row in table.rows:
        name = _tex(_name(row)) if row.end else f"\\quad {_tex(_name(row))}"
        lines.append(_latex_row([name, *map(_latex_cell, row.cells)]))
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _latex_row(cells: Sequence[str]) -> str:
    row = " & ".join(cells)
    first = "{}" if row.startswith(("[", "*")) else ""  # else an argument of the line end before it
    return f"{first}{row} \\\\"


def _latex_cell(c: Shown) -> str:
    if not c.text:
        return "--"
    mark = {"best": "$^{*}$", "tie": "$^{*}$", "oracle": "$^{\\circ}$"}.get(c.state, "")
    value = f"\\textbf{{{_tex(c.text)}}}" if "*" in mark else _tex(c.text)
    return f"{value}{mark}" + (f" {{\\scriptsize {_tex(c.reach)}}}" if c.reach else "")


def _markdown(view: View, table: Table, notes: Sequence[str]) -> str:
    heads = ["Model", *(f"{c.label} ({c.note})" if c.note else c.label for c in table.columns)]
    lines = [_pipes(map(_md, heads)), _pipes(["---", *["---:"] * len(table.columns)])]
    for row in table.rows:
        name = _md(_name(row)) if row.end else f"&emsp;{_md(_name(row))}"
        lines.append(_pipes([name, *map(_markdown_cell, row.cells)]))
    told = [f"{_md(n)}  " for n in notes[1:]]
    return "\n".join([f"**{_md(notes[0])}**", "", *lines, "", *told, ""])


def _pipes(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_cell(c: Shown) -> str:
    if not c.text:
        return "–"
    mark = {"best": "\\*", "tie": "\\*", "oracle": "°"}.get(c.state, "")
    value = f"**{c.text}**" if "*" in mark else c.text
    return f"{value}{mark}" + (f" ({_md(c.reach)})" if c.reach else "")


def _name(row: Row) -> str:
    return row.label if row.end else f"{row.label}, {row.detail}"


def _line(text: str) -> str:
    """On one line, whatever a title holds: a comment must not end early."""
    return " ".join(text.split())


_TEX = {"\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "&": "\\&", "%": "\\%", "$": "\\$",
        "#": "\\#", "_": "\\_", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
        "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}",
        '"': "{''}", "α": "$\\alpha$", "−": "$-$", "±": "$\\pm$", "°": "$^{\\circ}$",
        "–": "--", "\u2009": "\\,", "\u202f": "\\,", "\u00a0": "~"}  # fmt: skip


def _tex(text: str) -> str:
    """Every character as LaTeX prints it."""
    return "".join(_TEX.get(c, c) for c in _spaced(text))


def _md(text: str) -> str:
    """Nothing in it is Markdown, or HTML."""
    plain = re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", _spaced(text))
    return plain.replace("&", "&amp;").replace("<", "&lt;")


def _spaced(text: str) -> str:
    """Line ends and control characters as blanks."""
    return "".join(" " if c in "\r\n\t\f\v\x85\u2028\u2029" or ord(c) < 32 else c for c in text)


SUFFIXES: dict[str, Callable[[View, Table, Sequence[str]], str]] = {
    ".csv": _csv, ".tex": _latex, ".md": _markdown,
}  # fmt: skip
"""Suffix of a file -> what makes its text."""
