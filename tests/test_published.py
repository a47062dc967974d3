"""The transcribed numbers: every one read, every column explained, provenance kept."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest

import surefoot.published as published
from surefoot.data.known.find import parse_known
from surefoot.metrics import get_metric
from surefoot.published import (
    baseline_text,
    column_of,
    columns,
    find,
    models,
    numbers,
    suites,
    sweep,
    sweeps,
)

HERE = Path(published.__file__).parent


def test_every_line_of_the_files_is_a_number() -> None:
    lines = [
        row
        for file in ("results.csv", "dino_knn.csv")
        for row in csv.DictReader((HERE / file).read_text().splitlines())
    ]
    assert len(numbers()) == len(lines)
    assert len([n for n in numbers() if "DINO" not in n.paper]) == 361
    for number, row in zip(numbers(), lines, strict=True):
        assert f"{number.value:.{number.decimals}f}" == row["value"]
        assert number.provenance.startswith(("primary: ", "secondary: "))
        assert column_of(number).column == number.column
        assert 0 < number.value < 100


def test_no_number_stands_twice() -> None:
    keys = [(n.paper, n.table, n.model, n.method, n.setting, n.column) for n in numbers()]
    assert max(Counter(keys).values()) == 1


def test_means_are_the_means_of_what_they_say() -> None:
    """avg_shifts and avg_ref_shifts, as far as printing lets one tell."""
    checked = 0
    for n in numbers():
        column = column_of(n)
        if not column.mean_of or n.oracle:
            continue  # an oracle chose another alpha for the mean than for its parts
        row = {
            m.column: m.value
            for m in numbers()
            if (m.paper, m.table, m.model, m.method, m.setting)
            == (n.paper, n.table, n.model, n.method, n.setting)
        }
        parts = [row[c] for c in column.mean_of]
        assert sum(parts) / len(parts) == pytest.approx(n.value, abs=0.151), n
        checked += 1
    assert checked > 40


def test_what_columns_and_suites_name_exists() -> None:
    sets = {d for c in columns() for group in c.sets for d in group}
    sets |= {d for suite in suites().values() for one in suite for d in one.data}
    sets |= {c.train for c in columns() if c.train} | {
        s.train for x in suites().values() for s in x
    }
    for spec in sets:
        assert parse_known(spec) is not None, spec
    for metric in {c.metric for c in columns() if c.data} - {"knn_top1"}:
        assert get_metric(metric).name in (metric, get_metric(metric).name)
    assert {n.model for n in numbers()} >= set(models())


def test_counts_agree_with_the_registrys() -> None:
    checked = 0
    for column in columns():
        if column.n is None or not column.data:
            continue
        spec = parse_known(column.data[0])
        assert spec is not None
        expected = spec.known.splits[spec.split_for("test")]
        assert column.n == (expected.scored or expected.images), column
        checked += 1
    assert checked > 15


def test_find() -> None:
    (one,) = find(paper="WiSE-FT", model="CLIP ViT-B/16", method="WiSE-FT a=0.5", column="ImageNet")
    assert (one.value, one.table, one.rounding) == (81.7, "Table 8", pytest.approx(0.05))
    assert not one.oracle
    assert all(n.oracle for n in find(method=["WiSE-FT opt", "WiSE-FT E2E opt a"]))
    objectnet = find(data="objectnet", method="WiSE-FT E2E opt a")
    assert [n.value for n in objectnet] == [72.1]
    assert find(paper="2202.10054", column="STL", method="LP-FT")[0].setting == "OOD"
    assert find(paper="nobody") == []


def test_flyps_objectnet_is_comparable_with_nothing() -> None:
    for n in find(paper="FLYP", column="ObjectNet(inflated: partial copy)"):
        assert "partial copy" in column_of(n).comparable


def test_the_sweep() -> None:
    curve = sweep("CLIP ViT-L/14@336", "IN")
    assert len(curve) == 21
    assert curve[0.0] == 76.6
    assert sweep("ViT-X", "IN") == {}
    assert [len(s.alphas) for s in sweeps()] == [21, 21]
    assert all(len(v) == 21 for s in sweeps() for v in s.values.values())
    assert all(len(s.values) == 7 for s in sweeps())


def test_every_number_is_kept_as_printed_with_its_place() -> None:
    assert len({(n.file, n.line) for n in numbers()}) == len(numbers()) == 369
    assert all(float(n.raw) == n.value for n in numbers())
    assert {n.quality for n in numbers()} == {"primary", "secondary"}
    assert all(n.arxiv[:4].isdigit() for n in numbers())


def test_the_baseline_table_is_the_one_that_the_readme_describes() -> None:
    text = baseline_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 87
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest in (HERE / "README.md").read_text()
    for row in rows:
        assert all(0 <= float(v) <= 1 for k, v in row.items() if k != "model" and v)
