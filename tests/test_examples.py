"""Every public name has an example in its docstring, and every example does what it says."""

from __future__ import annotations

import doctest
import inspect
import os
from collections.abc import Iterator
from typing import Any

import pytest

import surefoot as sf
from surefoot.registry import METHODS

from .examples_space import space

NO_EXAMPLE = {"__version__", "MERGE_METHODS", "About"}
"""Values and types without a docstring of their own; make_rule's example shows the second."""


def public() -> Iterator[tuple[str, Any]]:
    """(name, object) of all that a user calls."""
    for room, names in ((sf, sf.__all__), (sf.methods, sf.methods.__all__),
                        (sf.weights, sf.weights.__all__), (sf.testing, sf.testing.__all__),
                        (sf.stats, sf.stats.__all__)):  # fmt: skip
        for name in names:
            if name not in NO_EXAMPLE:
                yield f"{room.__name__}.{name}", getattr(room, name)


PUBLIC = dict(public())
OBJECTS = {id(thing): (name, thing) for name, thing in PUBLIC.items()}
"""Each object once, whatever rooms name it."""


def examples(thing: Any) -> list[doctest.DocTest]:
    """The examples in an object's docstring, and in those of its own methods."""
    found = doctest.DocTestFinder(exclude_empty=True).find(thing, getattr(thing, "__name__", "it"))
    return [one for one in found if one.examples]


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_has_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(PUBLIC[name]) or "")
    assert not any(
        option == doctest.SKIP
        for one in examples(PUBLIC[name])
        for line in one.examples
        for option in line.options
    )


def test_every_registered_method_is_a_name_of_the_room() -> None:
    named = {getattr(sf.methods, name) for name in sf.methods.__all__}
    assert {METHODS.get(name) for name in METHODS.names() if METHODS.get(name).__module__
            .startswith("surefoot.methods.")} <= named  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    before = os.getcwd()
    folder = tmp_path_factory.mktemp("examples")
    os.chdir(folder)
    yield space(folder)
    os.chdir(before)


@pytest.mark.parametrize("name", [name for name, _ in OBJECTS.values()])
def test_an_example_does_what_it_says(name: str, shared: dict[str, Any]) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for one in examples(PUBLIC[name]):
        one.globs = dict(shared)
        runner.run(one, out=said.append, clear_globs=False)
    assert runner.failures == 0, "".join(said)
