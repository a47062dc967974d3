"""``surefoot merge``: every method, its options, virtual checkpoints."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from surefoot.cli.files import _METHODS, _OWN_OPTIONS
from surefoot.cli.main import cli
from surefoot.errors import CheckpointError
from surefoot.weights import (
    MERGE_METHODS,
    Weights,
    lerp,
    make_rule,
    ties,
    weighted_mean,
    write_safetensors,
)
from surefoot.weights.merging import DTYPE_POLICIES


@pytest.fixture
def files(tmp_path):
    torch.manual_seed(0)
    sets = [{"blocks.0.w": torch.randn(4, 4), "head.b": torch.randn(4)} for _ in range(3)]
    paths = [tmp_path / f"{i}.safetensors" for i in range(3)]
    for path, weights in zip(paths, sets, strict=True):
        write_safetensors(path, weights)
    return sets, [str(p) for p in paths], str(tmp_path / "out.safetensors")


def merge(*words: object):
    return CliRunner().invoke(cli, ["merge", *map(str, words)])


def test_methods_and_their_options(files):
    sets, paths, out = files
    for words, want in (
        ([*paths[:2]], lerp(sets[0], sets[1], 0.5)),
        ([*paths[:2], "--alpha", 0.2], lerp(sets[0], sets[1], 0.2)),
        ([*paths, "--weights", "1,0,3"], weighted_mean(sets, [1, 0, 3])),
        ([*paths, "--method", "ties", "--density", 0.5], ties(sets[0], sets[1:], density=0.5)),
    ):
        done = merge(*words, "-o", out, "--force")
        assert done.exit_code == 0, done.output
        assert "largest error against float64" in done.output
        assert Weights(load_file(out)) == Weights(want)
    for method in ("mean", "task-arithmetic", "model-stock"):
        assert merge(*paths, "--method", method, "-o", out, "--force").exit_code == 0


def test_the_options_are_those_of_the_rules():
    assert set(_METHODS) == set(MERGE_METHODS) == set(_OWN_OPTIONS)
    for method, options in _OWN_OPTIONS.items():
        unused = {"integers"} if method == "mean" else set()
        assert options | unused == set(vars(make_rule(method)))
    choices = next(p for p in cli.get_command(None, "merge").params if p.name == "dtype")
    assert tuple(choices.type.choices) == DTYPE_POLICIES


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--density", 0.5], "--method lerp has no --density"),
        (["--weights", "a"], "is not a list of numbers"),
        (["--method", "tise"], "tise"),
    ],
)
def test_wrong_usage(files, words, message):
    _, paths, out = files
    done = merge(*paths[:2], *words, "-o", out)
    assert done.exit_code == 2
    assert message in done.output
    assert merge(paths[0], "-o", out).exit_code == 2
    write_safetensors(out, {})
    assert "exists already" in merge(*paths[:2], "-o", out).output


def test_virtual_and_carried_out(files, tmp_path):
    sets, paths, out = files
    virtual = tmp_path / "half.json"
    assert merge(*paths[:2], "--virtual", "-o", virtual).exit_code == 0
    assert merge(virtual, "--alpha", 0.1, "-o", out).exit_code == 2
    assert merge(virtual, "-o", out).exit_code == 0
    assert Weights(load_file(out)) == Weights(lerp(sets[0], sets[1], 0.5))
    write_safetensors(paths[0], sets[2])
    done = merge(virtual, "-o", out, "--force")
    assert isinstance(done.exception, CheckpointError)
