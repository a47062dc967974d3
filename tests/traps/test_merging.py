"""Merging: what is no weight is refused by every rule; heads and names are matched, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from surefoot.cli.main import cli
from surefoot.errors import WeightsError
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.models.save import save_model
from surefoot.weights import (
    FisherRule,
    Lerp,
    LinesRule,
    Mean,
    ModelStockRule,
    Rule,
    TaskArithmetic,
    Ties,
    fisher_merge,
    lerp,
    mean,
    merge,
    model_stock,
    open_tensors,
    read_safetensors,
    task_arithmetic,
    ties,
)

from .builders import refusal, state, weights

State = dict[str, Tensor]


def factors(seed: int, names: tuple[str, str]) -> State:
    g = torch.Generator().manual_seed(seed)
    return {names[0]: torch.randn(2, 8, generator=g), names[1]: torch.randn(6, 2, generator=g)}


def files(
    root: Path, *states: State, metadata: Any = None, ending: str = "safetensors"
) -> list[Path]:
    about = metadata or [None] * len(states)
    return [weights(root / f"{i}.{ending}", s, m)
            for i, (s, m) in enumerate(zip(states, about, strict=True))]  # fmt: skip


RULES: dict[str, tuple[int, Rule]] = {
    "lerp": (2, Lerp(alpha=0.5)),
    "lines": (2, LinesRule(alpha=0.5, beta=0.0)),
    "mean": (2, Mean()),
    "tasks": (2, TaskArithmetic()),
    "ties": (3, Ties()),
    "model-stock": (3, ModelStockRule()),
}
IN_MEMORY = {
    "lerp": lambda a, b: lerp(a, b, 0.5),
    "mean": lambda a, b: mean([a, b]),
    "tasks": lambda a, b: task_arithmetic(a, [b], [1.0]),
    "ties": lambda a, b: ties(a, [b, b]),
    "model-stock": lambda a, b: model_stock(a, [b, b]),
    "fisher": lambda a, b: fisher_merge([a, b], [{}, {}]),
}
QUANTISED = {"l.weight": torch.ones(4, 4, dtype=torch.int8), "l.weight_scale": torch.ones(4)}


@pytest.mark.parametrize(
    "names",
    [
        ("q.lora_A.weight", "q.lora_B.weight"),
        ("base.lora_embedding_A", "base.lora_embedding_B"),
        ("lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight"),
        ("to_q_lora.down.weight", "to_q_lora.up.weight"),
        ("x.hada_w1_a", "x.hada_w1_b"),
        ("layer.A", "layer.B"),
        ("w_a_000.weight", "w_b_000.weight"),
        ("q.linear_a_q.weight", "q.linear_b_q.weight"),
        ("layer.a.weight", "layer.b.weight"),
    ],
)
def test_factors_of_an_adapter_are_no_weights(tmp_path: Path, names: tuple[str, str]) -> None:
    both = files(tmp_path, factors(0, names), factors(1, names))
    refusal("part of an adapter", lambda: merge(both, tmp_path / "o.safetensors", Lerp()))
    assert not (tmp_path / "o.safetensors").exists()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["adapter", "quantised"])
def test_every_rule_refuses_what_is_no_weight(tmp_path: Path, rule: str, kind: str) -> None:
    count, how = RULES[rule]
    names = ("l.lora_A.weight", "l.lora_B.weight")
    states = [factors(i, names) if kind == "adapter" else QUANTISED for i in range(count)]
    words = "the products are the weights" if kind == "adapter" else "dequantise them first"
    refusal(words, lambda: merge(files(tmp_path, *states), tmp_path / "o.safetensors", how))


def test_fisher_refuses_it_too(tmp_path: Path) -> None:
    both = files(tmp_path, QUANTISED, QUANTISED)
    rule = FisherRule(fishers=tuple(map(str, both)))
    refusal("dequantise", lambda: merge(both, tmp_path / "o.safetensors", rule))


@pytest.mark.parametrize("rule", IN_MEMORY)
def test_in_memory_it_is_refused_as_well(rule: str) -> None:
    names = ("l.lora_A.weight", "l.lora_B.weight")
    refusal("part of an adapter", lambda: IN_MEMORY[rule](factors(0, names), factors(1, names)))


@pytest.mark.parametrize(
    "tensors",
    [
        {"l.qweight": torch.ones(2, 4, dtype=torch.int32), "l.scales": torch.ones(4).half()},
        {"l.weight": torch.ones(8, 1, dtype=torch.uint8), "l.weight.absmax": torch.ones(2)},
        {"l.weight": torch.ones(2, 2, dtype=torch.int8), "l.SCB": torch.ones(2)},
        {"l.W": torch.ones(2, 2, dtype=torch.int8), "l.scale": torch.ones(2)},
    ],
)
def test_quantised_tensors_of_other_libraries(tmp_path: Path, tensors: State) -> None:
    both = files(tmp_path, tensors, tensors)
    refusal("quantised, with scales", lambda: merge(both, tmp_path / "o.safetensors", Mean()))


def test_integers_that_differ_have_no_average(tmp_path: Path) -> None:
    one, two = ({"w": torch.ones(2), "index": torch.tensor(t)} for t in ([0, 1], [1, 0]))
    both = files(tmp_path, one, two)
    refusal("holds integers that differ", lambda: merge(both, tmp_path / "o.safetensors", Lerp()))
    refusal("holds integers that differ", lambda: lerp(one, two, 0.5))
    same = files(tmp_path, one, one)
    assert merge(same, tmp_path / "o.safetensors", Lerp()).path.exists()


def test_counters_are_taken_from_one_side(tmp_path: Path) -> None:
    merge(files(tmp_path, state(1), state(9)), tmp_path / "o.safetensors", Lerp())
    assert read_safetensors(tmp_path / "o.safetensors")["blocks.1.num_batches_tracked"].item() == 9


@pytest.mark.parametrize(
    "rule",
    [
        Lerp(alpha=3.0, extrapolate=True),
        TaskArithmetic(scales=(3.0,)),
        TaskArithmetic(scales=(-2.0,)),
        Ties(density=1.0, scale=9.0),
    ],
)
def test_a_variance_below_zero_is_refused(tmp_path: Path, rule: Rule) -> None:
    low, high = ({"bn.running_var": torch.tensor(v)} for v in ([1.0, 0.1], [0.1, 1.0]))
    both = files(tmp_path, low, high)
    refusal("negative variance when mixed",
            lambda: merge(both, tmp_path / "o.safetensors", rule))  # fmt: skip
    assert not (tmp_path / "o.safetensors").exists()


def test_in_memory_a_variance_below_zero_is_refused() -> None:
    low, high = ({"bn.running_var": torch.tensor(v)} for v in ([1.0, 0.1], [0.1, 1.0]))
    refusal("negative variances", lambda: lerp(low, high, 3.0, extrapolate=True))
    refusal("negative variances", lambda: task_arithmetic(low, [high], [3.0]))
    assert lerp(low, high, 0.5)["bn.running_var"].min() > 0


def test_a_broken_variance_is_named_with_its_file(tmp_path: Path) -> None:
    low, high = ({"running_var": torch.tensor(v)} for v in ([-1.0], [4.0]))
    both = files(tmp_path, low, high)
    refusal("negative variance in the start",
            lambda: merge(both, tmp_path / "o.safetensors", Mean()))  # fmt: skip


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("module.", ""), ("", "module."), ("_orig_mod.", ""), ("_orig_mod.", "module."),
        ("module._orig_mod.", ""), ("model.", "module."), ("backbone.", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_prefixes_that_load_strips(tmp_path: Path, one: str, two: str, ending: str) -> None:
    a, b = state(0), state(1)
    both = files(tmp_path, {one + k: v for k, v in a.items()}, {two + k: v for k, v in b.items()},
                 ending=ending)  # fmt: skip
    done = merge(both, tmp_path / "o.safetensors", Lerp(alpha=0.5))
    got, want = read_safetensors(done.path), lerp(a, b, 0.5)
    ends = {k: next(n for n in got if n.endswith(k)) for k in want}
    assert all(torch.equal(got[ends[k]], want[k]) for k in want)
    assert any("left out of the names" in note for note in done.notes)


def test_names_that_fit_stay_as_they_are(tmp_path: Path) -> None:
    both = files(tmp_path, *({f"module.{k}": v for k, v in state(i).items()} for i in (0, 1)))
    done = merge(both, tmp_path / "o.safetensors", Lerp())
    assert done.notes == ()
    assert set(open_tensors(done.path)) == set(open_tensors(both[0]))


def test_another_architecture_is_no_prefix(tmp_path: Path) -> None:
    both = files(tmp_path, {"a.w": torch.ones(2)}, {"b.w": torch.ones(2)})
    refusal("'a.w' (2,) is in the first set only".replace("first set", "start"),
            lambda: merge(both, tmp_path / "o.safetensors", Lerp()))  # fmt: skip


def about(*names: str) -> dict[str, str]:
    return {"surefoot": json.dumps({"head": {"class_names": names}})}


def test_heads_are_matched_by_the_names_of_their_classes(tmp_path: Path) -> None:
    a, b = state(0), state(1)
    turned = {**a, "head.weight": a["head.weight"][[2, 0, 1]]}
    both = files(tmp_path, turned, b, metadata=[about("c", "a", "b"), about("a", "b", "c")])
    done = merge(both, tmp_path / "o.safetensors", Lerp(alpha=0.5))
    want = lerp(a, b, 0.5)["head.weight"]
    assert torch.equal(read_safetensors(done.path)["head.weight"], want)
    assert "put into the order" in done.notes[0]
    assert done.metadata["surefoot"] == about("a", "b", "c")["surefoot"]


@pytest.mark.parametrize("rule", RULES)
def test_heads_are_matched_by_every_rule(tmp_path: Path, rule: str) -> None:
    count, how = RULES[rule]
    same = state(0)
    turned = {**same, "head.weight": same["head.weight"][[2, 0, 1]]}
    given = [turned, *[same] * (count - 1)]
    metadata = [about("c", "a", "b"), *[about("a", "b", "c")] * (count - 1)]
    done = merge(files(tmp_path, *given, metadata=metadata), tmp_path / "o.safetensors", how)
    torch.testing.assert_close(read_safetensors(done.path)["head.weight"], same["head.weight"])


def test_heads_for_other_classes_are_refused(tmp_path: Path) -> None:
    both = files(
        tmp_path, state(0), state(1), metadata=[about("a", "b", "c"), about("a", "b", "d")]
    )
    error = refusal("is for other classes", lambda: merge(both, tmp_path / "o.safetensors", Mean()))
    assert "a, b, c" in error.wrong
    assert "a, b, d" in error.wrong


@pytest.mark.parametrize("key", ["classes", "class_names", "label_names", "id2label"])
def test_other_lists_of_classes_are_looked_at(tmp_path: Path, key: str) -> None:
    def listed(*names: str) -> dict[str, str]:
        return {key: json.dumps(dict(enumerate(names)) if key == "id2label" else names)}

    both = files(
        tmp_path, state(0), state(1), metadata=[listed("b", "a", "c"), listed("a", "b", "c")]
    )
    refusal("is in another order", lambda: merge(both, tmp_path / "o.safetensors", Mean()))
    same = files(tmp_path, state(0), state(1), metadata=[listed("a", "b", "c")] * 2)
    assert merge(same, tmp_path / "o.safetensors", Mean()).notes == ()


def test_fishers_of_heads_in_another_order_are_refused(tmp_path: Path) -> None:
    both = files(
        tmp_path, state(0), state(1), metadata=[about("b", "a", "c"), about("a", "b", "c")]
    )
    precise = {"head.weight": torch.ones(3, 4)}
    extra = [weights(tmp_path / f"f{i}.safetensors", precise) for i in range(2)]
    rule = FisherRule(fishers=tuple(map(str, extra)))
    refusal("in which their Fishers may not be",
            lambda: merge(both, tmp_path / "o.safetensors", rule))  # fmt: skip


def test_the_moving_average_is_merged_as_it_is_loaded(tmp_path: Path) -> None:
    for i in (0, 1):
        torch.save({"net": state(i + 5), "ema": state(i), "epoch": 3}, tmp_path / f"{i}.pth")
    done = merge([tmp_path / "0.pth", tmp_path / "1.pth"], tmp_path / "o.safetensors", Lerp())
    want = lerp(state(0), state(1), 0.5)
    assert torch.equal(read_safetensors(done.path)["blocks.0.weight"], want["blocks.0.weight"])
    assert "the weights under 'ema', not 'net'" in done.notes[0]


@pytest.fixture(scope="module")
def plain() -> Model:
    return load("tiny-clip")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_what_a_number_format_writes_is_loaded(tmp_path: Path, dtype: str, plain: Model) -> None:
    save_model(plain, tmp_path / "a.safetensors")
    both = [str(tmp_path / "a.safetensors")] * 2
    out = tmp_path / "o.safetensors"
    CliRunner().invoke(cli, ["merge", *both, "-o", str(out), "--dtype", dtype],
                       catch_exceptions=False)  # fmt: skip
    model = load(out)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model.encoder.state_dict(), plain.encoder.state_dict(),
                               rtol=1e-2, atol=1e-2)  # fmt: skip


@pytest.mark.parametrize("name", ["o.pt", "o.pth", "o.bin", "o"])
def test_a_name_that_no_reader_takes_for_safetensors(tmp_path: Path, name: str) -> None:
    both = files(tmp_path, state(0), state(1))
    refusal("ends in .safetensors", lambda: merge(both, tmp_path / name, Lerp()))
    assert not (tmp_path / name).exists()


def test_an_error_of_merging_says_what_to_do(tmp_path: Path) -> None:
    names = ("q.lora_A.weight", "q.lora_B.weight")
    both = files(tmp_path, factors(0, names), factors(1, names))
    with pytest.raises(WeightsError, match="merge_and_unload"):
        merge(both, tmp_path / "o.safetensors", Lerp())


LISTS = [("classes", ["b", "a", "c"], ["a", "b", "c"]),
         ("class_to_idx", {"b": 0, "a": 1, "c": 2}, {"a": 0, "b": 1, "c": 2}),
         ("idx_to_class", {0: "b", 1: "a", 2: "c"}, {0: "a", 1: "b", 2: "c"})]  # fmt: skip


@pytest.mark.parametrize(("key", "one", "two"), LISTS)
def test_classes_that_a_pickle_lists_are_looked_at(
    tmp_path: Path, key: str, one: Any, two: Any
) -> None:
    for i, listed in enumerate((one, two)):
        torch.save({"state_dict": state(i), key: listed}, tmp_path / f"{i}.pth")
    both = [tmp_path / "0.pth", tmp_path / "1.pth"]
    refusal("is in another order", lambda: merge(both, tmp_path / "o.safetensors", Mean()))
    same = [both[0], both[0]]
    assert merge(same, tmp_path / "o.safetensors", Mean()).notes == ()


def test_classes_of_a_config_beside_are_looked_at(tmp_path: Path) -> None:
    for i, names in enumerate((("b", "a", "c"), ("a", "b", "c"))):
        (tmp_path / str(i)).mkdir()
        weights(tmp_path / str(i) / "model.safetensors", state(i))
        about = {"model_type": "vit", "id2label": dict(enumerate(names))}
        (tmp_path / str(i) / "config.json").write_text(json.dumps(about))
    both = [tmp_path / "0", tmp_path / "1"]
    refusal("is in another order", lambda: merge(both, tmp_path / "o.safetensors", Mean()))


def test_a_head_without_names_beside_one_with_names_is_said(tmp_path: Path) -> None:
    both = files(tmp_path, state(0), state(1), metadata=[None, about("a", "b", "c")])
    done = merge(both, tmp_path / "o.safetensors", Mean())
    assert "0.safetensors does not say which classes" in done.notes[0]
