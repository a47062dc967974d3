"""The built-in data set, as a file: what its card promises holds for its rows."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from tools.pictograms import allocation

from surefoot.data.builtin import pictograms, pictograms_dev
from surefoot.data.designers import FAMILIES, designers

pq = pytest.importorskip("pyarrow.parquet")

SOURCE = Path(__file__).parents[2] / "src/surefoot"
FILE = SOURCE / "data/builtin/pictograms.parquet"
CARD = SOURCE / "data/builtin/pictograms.json"
CORPUS = SOURCE / "models/builtin/corpus.json"
ALLOWED = {"MIT", "Apache-2.0", "ISC", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-3.0",
           "OFL-1.1", "Unlicense"}  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return pq.read_table(FILE).to_pylist()


@pytest.fixture(scope="module")
def card() -> dict:
    return json.loads(CARD.read_text("utf-8"))


def test_ids_and_pictures_are_unique(rows: list[dict]) -> None:
    assert len({row["id"] for row in rows}) == len(rows)
    digests = {hashlib.sha256(row["image"]).digest() for row in rows}
    assert len(digests) == len(rows)


def test_icon_sets_have_one_split(rows: list[dict]) -> None:
    splits = defaultdict(set)
    for row in rows:
        if row["set"] != "quickdraw":
            splits[row["set"]].add(row["split"])
    assert {name: found for name, found in splits.items() if len(found) > 1} == {}


def test_no_evaluation_set_is_in_the_corpus(rows: list[dict]) -> None:
    corpus = {entry["set"] for entry in json.loads(CORPUS.read_text("utf-8"))["attribution"]}
    assert corpus & {row["set"] for row in rows} == {"quickdraw"}


def test_training_and_validation_are_outline_only(rows: list[dict]) -> None:
    assert {r["domain"] for r in rows if r["split"] in ("train", "val")} == {"outline"}


def test_counts_are_those_of_the_card(rows: list[dict], card: dict) -> None:
    found: dict[str, Counter] = defaultdict(Counter)
    for row in rows:
        found[row["split"]][row["domain"]] += 1
    assert {split: dict(counts) for split, counts in found.items()} == card["counts"]
    assert len(rows) == card["images"]
    assert len({row["set"] for row in rows}) == card["sets"]


def test_every_concept_is_in_train_val_and_id_test(rows: list[dict], card: dict) -> None:
    for split in ("train", "val", "test"):
        found = {r["concept"] for r in rows if r["split"] == split and r["domain"] == "outline"}
        assert found == set(card["concepts"])
    assert {row["concept"] for row in rows} == set(card["concepts"])


def test_every_image_has_an_allowed_licence_and_a_credit(rows: list[dict], card: dict) -> None:
    given = {(entry["set"], entry["split"]): entry for entry in card["attribution"]}
    counts = Counter((row["set"], row["split"]) for row in rows)
    assert counts == {key: entry["images"] for key, entry in given.items()}
    for row in rows:
        entry = given[row["set"], row["split"]]
        assert row["licence"] in ALLOWED
        assert (row["licence"], row["author"]) == (entry["spdx"], entry["author"])
    entries = json.loads(CORPUS.read_text("utf-8"))["attribution"]
    assert {entry["spdx"] for entry in entries} <= ALLOWED


def test_pictures_are_32_by_32(rows: list[dict]) -> None:
    image = pytest.importorskip("PIL.Image")
    for row in rows[::97]:
        assert image.open(io.BytesIO(row["image"])).convert("RGB").size == (32, 32)
        assert row["caption"]


def test_the_parquet_file_carries_the_card(card: dict) -> None:
    metadata = pq.read_schema(FILE).metadata
    for key in ("version", "counts", "sources", "concepts"):
        assert json.loads(metadata[key.encode()]) == card[key]


def designer_of(name: str) -> str:
    return str(designers([name], [f"{name}:bell"])[0])


def test_designers_are_the_families_of_the_allocation() -> None:
    assert {frozenset(sets) for sets in FAMILIES.values()} == set(
        map(frozenset, allocation.FAMILIES)
    )
    named = [name for sets in allocation.FAMILIES for name in sets]
    assert len(named) == len(set(named))
    assert set(named) <= set(allocation.ROLE)
    roles = [{allocation.ROLE[name] for name in sets} for sets in allocation.FAMILIES]
    assert all(len(found) == 1 for found in roles)  # a designer plays one part
    lone = set(allocation.ROLE) - set(named)
    assert {designer_of(name) for name in lone} == lone


def test_who_a_licence_names_is_one_designer(rows: list[dict]) -> None:
    """But for Google, who is named for Noto and for sketches by millions of players."""
    by_author = defaultdict(set)
    for row in rows:
        by_author[row["author"]].add(row["set"])
    assert by_author.pop("Google") == {"quickdraw"}
    for sets in by_author.values():
        assert len({designer_of(name) for name in sets}) == 1, sets


def test_the_unit_is_the_designer_joined_over_splits() -> None:
    task = pictograms()
    splits = {"train": task.train} | {n: s.split for n, s in task.scored().items()}
    assert {s.unit for s in splits.values()} == {"designer"}
    who = {name: set(s.metadata["designer"].tolist()) for name, s in splits.items()}
    counts = {name: len(found) for name, found in who.items()}
    assert counts == {"train": 19, "val": 15, "test": 12, "solid": 19, "duotone": 3, "colour": 3,
                      "emoji": 3, "sketch": 2615}  # fmt: skip
    assert len(who["test"] & who["solid"]) == 11
    evaluated = set.union(*(who[n] for n in who if n not in ("train", "val")))
    dev = {d for s in pictograms_dev().values() for d in s.metadata["designer"].tolist()}
    for one, other in ((who["train"], who["val"]), (who["train"] | who["val"], evaluated),
                       (dev, who["train"] | who["val"] | evaluated)):  # fmt: skip
        assert not one & other
