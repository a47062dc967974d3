"""Which of two networks in one file: by their roles and said, or refused; never by chance."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn

from surefoot.errors import CheckpointError
from surefoot.models.checkpoints import read_checkpoint
from surefoot.models.load import load
from surefoot.models.states import chosen_prefix, common_prefix

State = dict[str, Tensor]


def net(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(*(nn.Linear(2, 2) for _ in range(6)))


def under(**states: State) -> State:
    return {f"{p.replace('__', '.')}.{k}": v for p, s in states.items() for k, v in s.items()}


@pytest.mark.parametrize(
    ("taken", "other"),
    [
        ("module__encoder_q", "module__encoder_k"),
        ("module__base_encoder", "module__momentum_encoder"),
        ("backbone", "backbone_momentum"),
        ("visual_encoder", "visual_encoder_m"),
        ("online_encoder__net", "target_encoder__net"),
        ("teacher__backbone", "student__backbone"),
        ("model_ema", "model"),
        ("ema", "model"),
        ("ema__module", "module"),
        ("ema_model", "online_model"),
    ],
)
def test_known_roles_tell_and_it_is_said(taken: str, other: str) -> None:
    a, b = net(1).state_dict(), net(2).state_dict()
    for state in (under(**{taken: a, other: b}), under(**{other: b, taken: a})):
        prefix, notes = chosen_prefix(state, a)
        assert prefix == taken.replace("__", ".") + "."
        assert len(notes) == 1
        assert repr(prefix) in notes[0]
        assert other.replace("__", ".") in notes[0]


def test_bare_keys_beside_their_moving_average() -> None:
    a, b = net(1).state_dict(), net(2).state_dict()
    assert common_prefix({**a, **under(ema=b)}, a) == "ema."
    assert common_prefix({**a, **under(momentum=b)}, a) == ""


def test_names_that_tell_nothing_are_refused_with_their_tensors() -> None:
    a, b = net(1).state_dict(), net(2).state_dict()
    with pytest.raises(CheckpointError, match="2 networks that fit") as caught:
        common_prefix(under(left=a, right=b), a)
    assert "left.: 12 tensors" in str(caught.value)
    assert "right.: 12 tensors" in str(caught.value)
    three = under(teacher=a, student=b, third=a)
    with pytest.raises(CheckpointError, match="3 networks"):
        common_prefix(three, a)


def test_one_module_under_two_names_is_one_network() -> None:
    a = net(1).state_dict()
    assert chosen_prefix(under(model__backbone=a, backbone=a), a) == ("backbone.", ())


def test_a_few_keys_that_happen_to_match_are_no_network() -> None:
    wanted = [f"blocks.{i}.{j}" for i in range(30) for j in "abc"] + ["norm.weight"]
    state = {f"layers.{i}.norm.weight": torch.zeros(1) for i in range(4)}
    assert chosen_prefix(state, wanted) == ("layers.0.", ())


def test_the_order_of_a_set_decides_nothing() -> None:
    code = (
        "from surefoot.models.states import common_prefix as c\n"
        "keys = [f'{p}.{i}.weight' for p in ('bb', 'cc', 'aa', 'dd') for i in range(2)]\n"
        "print(repr(c(keys, [f'{i}.weight' for i in range(2)] + [f'x{i}' for i in range(20)])))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2", "3", "4")
    }  # fmt: skip
    assert said == {"'aa.'\n"}


@pytest.mark.parametrize(
    ("entries", "taken"),
    [
        (("state_dict", "state_dict_ema"), "state_dict_ema"),
        (("model", "model_ema"), "model_ema"),
        (("model_ema", "state_dict"), "model_ema"),
        (("student", "teacher"), "teacher"),
        (("student", "model"), "model"),
    ],
)
def test_the_same_rule_holds_for_entries_of_the_file(
    tmp_path: Path, entries: tuple[str, str], taken: str
) -> None:
    states = {name: net(i).state_dict() for i, name in enumerate(entries)}
    torch.save({**states, "epoch": 3}, tmp_path / "w.pt")
    found = read_checkpoint(tmp_path / "w.pt")
    assert found.inside == (taken,)
    assert all(torch.equal(v, states[taken][k]) for k, v in found.state.items())
    other = next(name for name in entries if name != taken)
    assert len(found.notes) == 1
    assert f"the weights under {taken!r}, not {other!r}" in found.notes[0]


def test_entries_without_weights_are_no_choice(tmp_path: Path) -> None:
    state = net(1).state_dict()
    torch.save({"model": {"width": 2}, "state_dict": state, "ema": None}, tmp_path / "w.pt")
    found = read_checkpoint(tmp_path / "w.pt")
    assert (found.inside, found.notes) == (("state_dict",), ())
    torch.save({"model": state, "state_dict": state}, tmp_path / "same.pt")
    assert read_checkpoint(tmp_path / "same.pt").inside == ("model",)
    torch.save({"model": state, "state_dict": net(2).state_dict()}, tmp_path / "two.pt")
    with pytest.raises(CheckpointError, match="2 networks that fit"):
        read_checkpoint(tmp_path / "two.pt")


def test_a_dictionary_that_holds_itself_ends(tmp_path: Path) -> None:
    value: dict[str, object] = {"epoch": 1}
    value["model"] = value["teacher"] = value
    torch.save(value, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="holds no tensors"):
        read_checkpoint(tmp_path / "w.pt")


def test_mocos_file_gives_the_query_encoder(tmp_path: Path) -> None:
    q, k = (timm.create_model("resnet18", num_classes=0) for _ in "qk")
    state = under(module__encoder_q=q.state_dict(), module__encoder_k=k.state_dict())
    torch.save({"state_dict": state}, tmp_path / "moco.pth")
    model = load(f"timm:resnet18@{tmp_path / 'moco.pth'}")
    assert all(torch.equal(v, q.state_dict()[n]) for n, v in model.encoder.state_dict().items())
    assert any("'module.encoder_q.', not 'module.encoder_k.'" in n for n in model.spec.notes)
    torch.save({"state_dict": under(a=q.state_dict(), b=k.state_dict())}, tmp_path / "ab.pth")
    with pytest.raises(CheckpointError, match="2 networks that fit"):
        load(f"timm:resnet18@{tmp_path / 'ab.pth'}")
