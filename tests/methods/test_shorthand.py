"""``epochs``, ``lr`` and ``batch_size`` are short for a whole schedule."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

import surefoot as sf
from surefoot.errors import ModelError
from surefoot.methods.base import Scheduled, as_dict
from surefoot.methods.parse import build_method
from surefoot.registry import METHODS
from surefoot.train import Schedule

TRAINED = [name for name in METHODS.names() if issubclass(METHODS.get(name), Scheduled)]


def schedules(plain: dict) -> list[dict]:
    found = [plain["schedule"]] if "schedule" in plain else []
    return found + [s for v in plain.values() if isinstance(v, dict) for s in schedules(v)]


def test_every_method_that_trains_by_a_schedule_knows_it():
    plain = [name for name in METHODS.names() if schedules(as_dict(METHODS.get(name)()))]
    assert plain == TRAINED
    assert len(TRAINED) > 20


@pytest.mark.parametrize("name", TRAINED)
def test_it_is_written_into_every_schedule_and_changes_nothing_else(name):
    kind = METHODS.get(name)
    before, after = as_dict(kind()), as_dict(kind(epochs=3, lr=0.25, batch_size=7))
    found = schedules(after)
    assert all((s["epochs"], s["lr"], s["batch_size"]) == (3, 0.25, 7) for s in found)
    for old, new in zip(schedules(before), found, strict=True):
        new.update(epochs=old["epochs"], lr=old["lr"], batch_size=old["batch_size"])
    assert after == before


@pytest.mark.parametrize("name", TRAINED)
def test_a_recipe_knows_schedules_only(name):
    kind = METHODS.get(name)
    assert not {f.name for f in dataclasses.fields(kind)} & {"epochs", "lr", "batch_size"}
    method, problems = kind(epochs=3), []
    assert build_method(as_dict(method), "m", problems) == method
    assert problems == []
    assert build_method({"name": name, "epochs": 3}, "m", problems) is None
    assert "has no field 'epochs'" in problems[0]


def test_they_are_keywords_with_types():
    parameters = inspect.signature(sf.FineTune).parameters
    for name in ("epochs", "lr", "batch_size"):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default is None


def test_replace_works_with_and_without_them():
    short = sf.FineTune(epochs=3, lr=1e-3)
    assert dataclasses.replace(short, head="random") == sf.FineTune("random", short.schedule)
    again = dataclasses.replace(short, lr=1e-4)
    assert again.schedule == Schedule(epochs=3, lr=1e-4)
    assert short.schedule == Schedule(epochs=3, lr=1e-3)
    assert dataclasses.replace(sf.WiseFT(inner=short), epochs=5).inner.schedule.epochs == 5


def test_nested_methods_keep_their_own_defaults():
    tuned = sf.WiseFT(inner=sf.LPFT(), epochs=2).inner.tune
    assert tuned == dataclasses.replace(sf.LPFT.tune, schedule=tuned.schedule)
    assert tuned.schedule == dataclasses.replace(sf.LPFT.tune.schedule, epochs=2)
    assert sf.LPFT().tune.schedule.epochs == 20


@pytest.mark.parametrize(
    "make",
    [
        lambda: sf.FineTune(schedule=Schedule(epochs=2), lr=1e-3),
        lambda: sf.WiseFT(inner=sf.FineTune(schedule=Schedule()), epochs=3),
        lambda: sf.LPFT(tune=sf.FineTune("keep", Schedule(epochs=2)), batch_size=8),
    ],
)
def test_a_schedule_and_a_shorthand_beside_it_are_refused(make):
    with pytest.raises(ModelError, match=r"a schedule and [a-z_]+ beside it") as error:
        make()
    assert "dataclasses.replace" in error.value.fix


def test_nothing_to_write_into_and_values_that_are_none_are_said():
    with pytest.raises(ModelError, match="trains by no schedule, so epochs say nothing"):
        sf.WiseFT(inner=sf.LinearProbe(), epochs=3)
    with pytest.raises(ValueError, match="epochs is 0"):
        sf.FineTune(epochs=0)
