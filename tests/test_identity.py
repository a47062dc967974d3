"""Rows of predictions are matched by what the images are; artefacts without that still open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surefoot.errors import RunError
from surefoot.predictions import Predictions, same_order
from surefoot.report.gather import gather
from surefoot.report.paired import Pairing
from surefoot.runs import Run, open_study

Digests = np.random.default_rng(0).integers(0, 256, (40, 32), dtype=np.uint8)


def predictions(rows: list[int], wrong: set[int], **more: Any) -> Predictions:
    """Images ``rows`` of 40, whose labels are their number modulo 2."""
    labels = np.array(rows, dtype=np.int64) % 2
    said = np.where(np.isin(rows, list(wrong)), 1 - labels, labels)
    given = {"ids": tuple(map(str, range(len(rows)))), "identities": Digests[rows], **more}
    return Predictions("test", "ID", np.eye(2, dtype=np.float32)[said], labels,
                       class_names=("a", "b"), **given)  # fmt: skip


def run(place: Path, method: str, kept: Predictions) -> Run:
    made = Run.create(place, {"method": method, "seed": 0})
    made.save_predictions(kept, None)
    score = {"value": float(kept.correct().mean()), "n": len(kept.ids)}
    from surefoot.records import Score

    made.write_scores([Score("top1", score["value"], int(score["n"]), 0.0, 1.0, "bootstrap", "test",
                             "ID", method=method, selection="end")])  # fmt: skip
    made.set_status("finished")
    return made


def test_rows_are_matched_by_content_and_copies_are_numbered() -> None:
    one, other = [7, 3, 3, 9], [3, 9, 7, 3]
    names = (["a"] * 4, ["b"] * 4)
    found = same_order(names, (Digests[one], Digests[other]))
    assert found is not None
    assert found.tolist() == [2, 0, 3, 1]
    assert same_order(names, (Digests[one], Digests[[3, 9, 7, 7]])) is None
    assert same_order(names, (Digests[one], Digests[[3, 9, 7]])) is None
    assert same_order((["a"], ["a"]), (Digests[:1], Digests[1:2])) is None  # other pixels


def test_names_decide_where_content_was_not_kept() -> None:
    found = same_order((["a", "b"], ["a", "b"]), (None, Digests[:2]))
    assert found is not None
    assert found.tolist() == [0, 1]
    assert same_order((["a", "b"], ["b", "a"]), (None, Digests[:2])) is None


def test_files_with_and_without_identities_open(tmp_path: Path) -> None:
    kept = predictions([4, 5, 6], set())
    for identities in (kept.identities, None):
        replace(kept, identities=identities).save(tmp_path / "p.npz")
        again = Predictions.load(tmp_path / "p.npz")
        assert again.ids == kept.ids
        np.testing.assert_array_equal(again.logits, kept.logits)
        assert (again.identities is None) == (identities is None)
        assert again.same_images(kept)
    assert not replace(kept, identities=Digests[[4, 5, 7]]).same_images(kept)


def test_two_runs_pair_whatever_their_images_are_called(tmp_path: Path) -> None:
    """The second read the same images from elsewhere, in another order."""
    rows = list(range(40))
    backwards = predictions(rows[::-1], {1, 2}, ids=tuple(f"row{i}" for i in rows))
    paths = [
        run(tmp_path / "a", "zero-shot", predictions(rows, {1, 2, 3, 4, 5})).path,
        run(tmp_path / "b", "ft", backwards).path,
    ]
    view = gather(open_study(*paths))
    a, b = (e for e in view.entries if not e.rules)
    found = Pairing(view).difference(b, a, "test")
    assert found is not None
    assert found.difference == pytest.approx(3 / 40)
    assert found.p == pytest.approx(0.25)  # three images are right with one only


def test_other_pixels_or_labels_under_equal_names_do_not_pair(tmp_path: Path) -> None:
    rows = list(range(20))
    first = run(tmp_path / "a", "zero-shot", predictions(rows, {1}))
    strangers = predictions(rows, {2}, identities=Digests[20:])
    flipped = predictions(rows, {2})
    flipped = replace(flipped, labels=1 - flipped.labels)
    for name, other in (("b", strangers), ("c", flipped)):
        view = gather(open_study(first.path, run(tmp_path / name, "ft", other).path))
        a, b = (e for e in view.entries if not e.rules)
        assert Pairing(view).difference(a, b, "test") is None


def test_a_run_is_not_gone_on_with_on_other_images(tmp_path: Path) -> None:
    def facts(**of_train: str) -> dict[str, Any]:
        return {"task": {"splits": {"train": of_train}}}

    begun = Run.create(tmp_path / "r", facts(manifest="m", rows="c"))
    begun.require_same_images(facts(manifest="m", rows="c"))
    with pytest.raises(RunError, match="other images of 'train'"):
        begun.require_same_images(facts(manifest="m", rows="d"))
    with pytest.raises(RunError, match="other names or labels of 'train'"):
        begun.require_same_images(facts(manifest="n", rows="c"))
    old = Run.create(tmp_path / "old", facts(manifest="m"))
    old.require_same_images(facts(manifest="m", rows="c"))
    Run(tmp_path / "nowhere").require_same_images(facts(manifest="m", rows="c"))
