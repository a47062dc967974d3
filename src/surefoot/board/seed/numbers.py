"""Published numbers and sweeps, from the CSV files onto boards."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...published import Published, Sweep, numbers, sweeps
from ..errors import BoardError
from ..store.entries import cited, make_result
from ..store.results import Board, Curve, CurvePoint, Entry, ExtraData, Source
from ..store.store import Store
from ..store.text import digest
from .read import MethodName, ProtocolPlan, method_name, protocol_plans

__all__ = ["board_of", "fill_curves", "fill_numbers", "plan_of"]

SEED = "a published number that surefoot carries"
"""Stands in the history."""

_CLIP = "2103.00020"
_HEADLINE = {
    # What stands in the short table of the paper's page: (method, model's words, column).
    "2109.01903": ("WiSE-FT E2E opt a", ("ObjectNet",)),
    "2202.10054": ("LP-FT", None),
    "2212.00638": ("FLYP", None),
    "2104.14294": ("kNN", None),
}


@dataclass(frozen=True)
class _Cell:
    """A published number with all that it means."""

    value: Published
    name: MethodName
    plan: ProtocolPlan
    setting: str
    also: tuple[str, ...] = ()


def plan_of(paper: str, setting: str, column: str) -> ProtocolPlan:
    """Where a published column belongs.

    Raises:
        BoardError: No protocol names the column.
    """
    plans = {p.column: p for p in protocol_plans()}
    for key in (f"{setting}:{column}" if paper.startswith("LP-FT") else column, column):
        if key in plans:
            return plans[key]
    raise BoardError(f"no protocol says where {column!r} of {paper} belongs")


def board_of(store: Store, plan: ProtocolPlan) -> Board:
    """The board of a protocol, added where it is missing."""
    task = store.tasks.ensure(plan.task)
    dataset = store.datasets.ensure(plan.dataset)
    board = store.boards.ensure(task.id, dataset.id, plan.split, plan.name)
    if plan.notable and not board.notable:
        store.boards.update(board.id, notable=True)
    return board


def fill_numbers(store: Store) -> None:
    """Add every published number that is not there; of the others, say anew where they are read."""
    for cell in _without_repeats([_cell(v) for v in numbers()]):
        key = digest("seed", cell.value.paper, cell.value.table, cell.value.model,
                     cell.value.method, cell.value.setting, cell.value.column)  # fmt: skip
        known, entry = store.entries.find(row_key=key), _entry(store, cell, key)
        if known is None:
            store.entries.add(entry, why=SEED)
        else:
            store.entries.update(known.id, source=entry.source, why="what the package says of it")


def _cell(value: Published) -> _Cell:
    name = method_name(value.method)
    words = [name.setting]
    if value.setting not in ("", "ID", "OOD", "no ensembling"):
        words.append(value.setting)
    setting = ", ".join(w for w in words if w)
    return _Cell(value, name, plan_of(value.paper, value.setting, value.column), setting)


def _without_repeats(cells: list[_Cell]) -> list[_Cell]:
    """A number that a paper prints twice, once, with the other place noted.

    Repeats agree in paper, encoder, method, alpha, board and value; where one table says less about
    the setting, it is taken to mean the other's.
    """
    kept: dict[tuple[object, ...], _Cell] = {}
    for cell in cells:
        v, n = cell.value, cell.name
        key = (v.paper, v.model, n.model_name, n.alpha, n.selection, n.quoted, v.column, v.raw)
        first = kept.get(key)
        if (
            first is not None
            and v.table != first.value.table
            and (cell.setting in ("", first.setting))
        ):
            kept[key] = replace(first, also=(*first.also, v.table))
        else:
            kept[key if first is None else (*key, v.table, cell.setting)] = cell
    return list(kept.values())


def _entry(store: Store, cell: _Cell, key: str) -> Entry:
    v, n = cell.value, cell.name
    # "[Radford]": the CLIP paper's model; the number is read in the paper that quotes it.
    paper = store.papers.match(arxiv=_CLIP if n.quoted else v.arxiv)
    method = store.methods.named(n.method)
    result = make_result(
        cell.plan.metric,
        v.raw,
        n=cell.plan.n,
        alpha=n.alpha,
        selection=n.selection,
        headline=_headline(v),
    )
    return Entry(
        board_of(store, cell.plan).id,
        "published",
        _model_name(v, n),
        _source(cell),
        row_key=key,
        backbone=v.model,
        setting=cell.setting,
        method_id=method.id if method else None,
        extra_data=_extra_data(v),
        results=(result,),
        **cited(paper),
    )


def _model_name(value: Published, name: MethodName) -> str:
    if name.quoted:
        return "CLIP" if name.model_name == "Zero-shot" else f"CLIP, {name.model_name.lower()}"
    return "DINO" if value.paper.startswith("DINO") else name.model_name


def _source(cell: _Cell) -> Source:
    v = cell.value
    said = v.provenance.partition(":")[2].strip()
    return Source(
        "paper",
        citation=v.paper,
        table=v.table,
        row=f"{v.model}, {v.method}" + (f", {v.setting}" if v.setting else "") + f"; {v.column}",
        quality="secondary" if cell.name.quoted else v.quality,
        file=f"published/{v.file}, line {v.line}",
        note=said,
        printed_by=v.paper if cell.name.quoted else said if v.quality == "secondary" else "",
        also=cell.also,
    )


def _headline(value: Published) -> bool:
    method, columns = _HEADLINE.get(value.arxiv, ("", None))
    mine = value.method == method and value.setting != "with WiSE ensembling"
    return mine and (columns is None or value.column in columns)


def _extra_data(value: Published) -> ExtraData:
    """Pretrained on more than the board's own training data, where that is certain."""
    if value.paper.startswith("DINO"):
        return "no"  # ImageNet without labels, then ImageNet
    web = ("CLIP", "ALIGN", "JFT", "BASIC")
    return "yes" if value.model.startswith(web) else "unknown"


def fill_curves(store: Store) -> None:
    """Add the published sweeps that are not there."""
    for sweep in sweeps():
        key = digest("seed curve", sweep.model, sweep.mode)
        if not store.curves.has(key):
            store.curves.add(_curve(store, sweep, key), why=SEED)


def _curve(store: Store, sweep: Sweep, key: str) -> Curve:
    paper = store.papers.match(arxiv="2109.01903")
    method = store.methods.named("WiSE-FT")
    plans = {p.sweep: p for p in protocol_plans()}
    points = []
    for column, printed in sweep.values.items():
        plan = plans[column]
        points += [
            CurvePoint(float(a), plan.dataset, plan.metric, raw, float(raw), n=plan.n)
            for a, raw in zip(sweep.alphas, printed, strict=True)
        ]
    return Curve(
        key,
        f"WiSE-FT, CLIP {sweep.model}, end to end",
        "published",
        tuple(points),
        Source(
            "paper",
            citation="WiSE-FT 2109.01903",
            file=f"published/{sweep.file}",
            note="which table or figure is not recorded",
        ),
        method_id=method.id if method else None,
        paper_id=paper.id if paper else None,
        backbone=f"CLIP {sweep.model}",
        setting="end to end",
    )
