"""Which weights of a file are meant: known roles, said; else refused with the list."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from surefoot.errors import CheckpointError
from surefoot.models.checkpoints import read_checkpoint
from surefoot.models.states import chosen_prefix, strip_prefix
from surefoot.weights import open_tensors

from .builders import refusal, state

State = dict[str, Tensor]
WANTED = state(0)


def under(prefix: str, own: State) -> State:
    return {prefix + k: v for k, v in own.items()}


def saved_file(root: Path, content: object) -> Path:
    torch.save(content, root / "c.pth")
    return root / "c.pth"


ROLES = [
    ("module.encoder_q.", "module.encoder_k."),
    ("module.base_encoder.", "module.momentum_encoder."),
    ("teacher.backbone.", "student.backbone."),
    ("online_encoder.net.", "target_encoder.net."),
    ("model_ema.", "model."),
    ("ema.", ""),
    ("encoder.", "encoder_momentum."),
]


@pytest.mark.parametrize(("taken", "other"), ROLES)
@pytest.mark.parametrize("turned", [False, True])
def test_a_known_role_is_taken_and_said(taken: str, other: str, turned: bool) -> None:
    a, b = under(taken, state(1)), under(other, state(2))
    prefix, notes = chosen_prefix({**b, **a} if turned else {**a, **b}, WANTED)
    assert prefix == taken
    assert repr(taken) in notes[0]


@pytest.mark.parametrize(("one", "two"), [("net_a.", "net_b."), ("left.", "right."),
                                          ("model1.", "model2.")])  # fmt: skip
def test_names_that_tell_nothing_are_refused(one: str, two: str) -> None:
    both = {**under(one, state(1)), **under(two, state(2))}
    error = refusal("their names do not tell", lambda: chosen_prefix(both, WANTED))
    assert one in error.wrong
    assert two in error.wrong


def test_the_moving_average_beside_a_net_is_taken_with_a_note(tmp_path: Path) -> None:
    file = saved_file(tmp_path, {"net": state(1), "ema": state(2), "epoch": 7})
    found = read_checkpoint(file)
    assert found.inside == ("ema",)
    assert torch.equal(found.state["head.weight"], state(2)["head.weight"])
    assert found.notes == ("the weights under 'ema', not 'net': the moving average, which timm "
                           "takes",)  # fmt: skip
    assert found.facts["epoch"] == 7
    assert torch.equal(open_tensors(file)["head.weight"], state(2)["head.weight"])


@pytest.mark.parametrize(
    ("taken", "other"),
    [
        ("model_ema", "model"),
        ("state_dict_ema", "state_dict"),
        ("teacher", "student"),
        ("model", "criterion"),
        ("ema", "generator"),
        ("net", "discriminator"),
    ],
)
def test_every_other_entry_with_weights_is_named(tmp_path: Path, taken: str, other: str) -> None:
    file = saved_file(tmp_path, {other: state(1), taken: state(2), "optimizer": {"state": {}}})
    for notes in (read_checkpoint(file).notes, open_tensors(file).notes):
        assert f"the weights under {taken!r}, not {other!r}" in notes[0]


def test_two_entries_of_one_kind_are_refused(tmp_path: Path) -> None:
    file = saved_file(tmp_path, {"ema": state(1), "model_ema": state(2)})
    refusal("their names do not tell", lambda: read_checkpoint(file))
    refusal("their names do not tell", lambda: open_tensors(file))


def test_one_module_under_two_names_is_no_choice(tmp_path: Path) -> None:
    same = state(1)
    assert read_checkpoint(saved_file(tmp_path, {"model": same, "module": same})).notes == ()


def test_an_optimizer_is_no_network(tmp_path: Path) -> None:
    moments = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}
    assert (
        read_checkpoint(saved_file(tmp_path, {"model": state(1), "optimizer": moments})).notes == ()
    )


def test_only_an_optimizer_is_refused(tmp_path: Path) -> None:
    file = saved_file(tmp_path, {"optimizer": {"state": {}}, "epoch": 3})
    refusal("holds no tensors", lambda: read_checkpoint(file))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "backbone.",
                                    "model.encoder.", "state_dict."])  # fmt: skip
def test_prefixes_come_off(prefix: str) -> None:
    assert strip_prefix(under(prefix, state(1)), WANTED).keys() == WANTED.keys()


def test_compile_marks_inside_a_name_come_off() -> None:
    inner = {k.replace("blocks.", "blocks._orig_mod."): v for k, v in state(1).items()}
    assert strip_prefix(inner, WANTED).keys() == WANTED.keys()


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    save_file(state(1), tmp_path / "a.safetensors")
    data = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(tmp_path / "a.safetensors")
