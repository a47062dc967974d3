"""The adaptive sweep chooses as the full grid does: on stored curves, on drawn ones, on a task."""

from __future__ import annotations

from pathlib import Path as File

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.models.heads import random_head
from surefoot.paths import Path, alpha_grid, sweep
from surefoot.paths.candidates import candidates, choose, preview, search, surprises
from surefoot.select import select, select_all

from .conftest import CLASSES, toy_model

STORED = np.load(File(__file__).parent / "paths_known" / "val_curves.npz")
RUNS = sorted({name.partition(".")[0] for name in STORED.files})


def stored(run: str):
    """ID validation of a real run (pictograms, tiny models), image by image, along the grid."""
    grid = tuple(float(a) for a in STORED[f"{run}.alphas"])
    n = int(STORED[f"{run}.n"])
    rows = np.unpackbits(STORED[f"{run}.correct"], axis=1, count=n).astype(bool)
    expected = dict(zip(grid, STORED[f"{run}.preview"], strict=True))
    return grid, dict(zip(grid, rows, strict=True)), expected


@pytest.mark.parametrize("run", RUNS)
def test_the_choice_on_stored_runs_is_that_of_the_full_grid(run):
    grid, full, expected = stored(run)
    found = search(grid, lambda at: {a: full[a] for a in at}, lambda _: expected)
    assert choose(found) == choose(full)
    assert len(found) <= len(grid)


@pytest.mark.parametrize("run", RUNS)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 200))
def test_resampled_runs_agree_or_a_skipped_alpha_held_a_surprise(run, seed, n):
    grid, full, expected = stored(run)
    own = np.random.default_rng(seed).integers(0, len(full[grid[0]]), n)
    small = {a: c[own] for a, c in full.items()}
    found = search(grid, lambda at: {a: small[a] for a in at}, lambda _: expected)
    if choose(found) != choose(small):
        assert _largest_hidden(small, found) > surprises(found)


def _largest_hidden(full, found) -> float:
    """Images right at a skipped alpha and wrong at both evaluated neighbours, as a share."""
    shares = [0.0]
    for alpha in set(full) - set(found):
        left = found[max(a for a in found if a < alpha)]
        right = found[min(a for a in found if a > alpha)]
        shares.append(float((full[alpha] & ~left & ~right).mean()))
    return max(shares)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=2, max_size=60))
def test_certain_where_no_image_is_right_only_in_between(pairs):
    """Each image is right from one end up to somewhere: then nothing can hide, at any curve."""
    grid = alpha_grid(11)
    full = {a: np.array([10 * a <= p if p % 2 else 10 * a >= q for p, q in pairs]) for a in grid}
    found = search(grid, lambda at: {a: full[a] for a in at})
    assert choose(found) == choose(full)


def test_a_flat_gap_is_not_evaluated():
    grid = alpha_grid(11)
    rng = np.random.default_rng(0)
    low, high = rng.random(400) < 0.5, np.ones(400, dtype=bool)
    full = {a: high if a >= 0.5 else low for a in grid}
    found = search(grid, lambda at: {a: full[a] for a in at})
    assert choose(found) == choose(full) == (0.5, 0.5)
    assert len(found) < 8
    assert candidates(grid, full) == []


def test_the_preview_is_the_ensemble_of_the_ends():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40, 3)).astype(np.float32)
    labels = rng.integers(0, 3, 40)
    found = preview(a, b, labels, (0, 0.25, 1))
    assert found[0] == (a.argmax(1) == labels).mean()
    assert found[1] == (b.argmax(1) == labels).mean()
    assert found[0.25] == ((0.75 * a + 0.25 * b).argmax(1) == labels).mean()


def ends():
    models = []
    for seed in (0, 1):
        model = toy_model(seed=seed)
        model.head = random_head(model, CLASSES, seed=seed)
        models.append(model)
    return models


def test_on_a_task_every_number_is_that_of_the_full_sweep(task):
    path = Path(*ends())
    full = sweep(path, task)
    kept: list[tuple[float, str]] = []
    found = sweep(path, task, adaptive=True,
                  on_predictions=lambda a, p: kept.append((a, p.split)))  # fmt: skip
    search = found.search
    selections = select_all(found)
    assert [s.rule for s in selections] == ["fixed", "id_val", "one_se"]
    for chosen in selections:
        assert chosen.alpha == select(full, chosen.rule).alpha
        assert chosen.regret == {}
    for curve in (found, search.validation):
        for split, row in curve.scores.items():
            for alpha, score in zip(curve.alphas, row, strict=True):
                assert score == full.scores[split][full.alphas.index(alpha)]
    assert set(found.scores) == {"val", "test", "recoloured"}
    assert sorted(kept) == sorted((a, s) for a in found.alphas for s in found.scores)
    assert search.passes < search.full == 90 * 11
    assert search.preview[0] == full.scores["val"][0].value
    rows = [full.alphas.index(a) for a in found.alphas]
    assert np.array_equal(found.correct["test"], full.correct["test"][rows])
