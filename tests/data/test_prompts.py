"""Template sets by name and from files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from surefoot.data.prompts import PICTOGRAM_TEMPLATES, TEMPLATE_SETS, templates
from surefoot.errors import DataError, MissingDependency, UnknownName


def test_open_clips_sets_are_its_own() -> None:
    zero_shot = pytest.importorskip("open_clip")
    for name, theirs in (("openai_imagenet", zero_shot.OPENAI_IMAGENET_TEMPLATES),
                         ("simple", zero_shot.SIMPLE_IMAGENET_TEMPLATES)):  # fmt: skip
        ours = templates(name)
        assert len(ours) == len(theirs) == {"openai_imagenet": 80, "simple": 7}[name]
        assert [t.replace("{}", "sea lion") for t in ours] == [t("sea lion") for t in theirs]


def test_every_set_has_one_place_for_the_name() -> None:
    for name in TEMPLATE_SETS:
        assert all(t.count("{}") == 1 for t in templates(name))
    assert templates("single") == ("a photo of a {}.",)
    assert templates("pictograms") == PICTOGRAM_TEMPLATES


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("# mine\n a satellite photo of a {}.\n\n{} from above\n", encoding="utf-8")
    assert templates(file) == ("a satellite photo of a {}.", "{} from above")
    file.write_text("no place\n")
    with pytest.raises(DataError, match=r"'no place' in .* has 0 places"):
        templates(file)
    file.write_text("# nothing\n")
    with pytest.raises(DataError, match="holds no template"):
        templates(file)
    file.write_bytes(b"\xff\xfe\xfa{}")
    with pytest.raises(DataError, match="cannot be read"):
        templates(file)


def test_a_misspelt_name() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'pictograms'"):
        templates("pictogram")


def test_the_wilds_sets_have_the_counts_of_their_source() -> None:
    assert [len(templates(name)) for name in ("iwildcam", "fmow")] == [2, 16]
    assert templates("fmow")[4:6] == (
        "satellite photo of a {} in asia.",
        "aerial photo of a {} in asia.",
    )


def test_clip_benchmarks_sets_are_read_from_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of that shape: the real one is no dependency."""
    home = tmp_path / "clip_benchmark" / "datasets"
    home.mkdir(parents=True)
    (tmp_path / "clip_benchmark" / "__init__.py").write_text("")
    (home / "en_zeroshot_classification_templates.json").write_text(
        json.dumps({"cars": ["a photo of a {c}.", "i love my {c}!"], "odd": {"a": ["x"]}})
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "clip_benchmark", raising=False)
    assert templates("clip_benchmark:cars") == ("a photo of a {}.", "i love my {}!")
    with pytest.raises(UnknownName, match="cars"):
        templates("clip_benchmark:carz")
    with pytest.raises(UnknownName, match="cars"):
        templates("clip_benchmark:odd")
    sys.modules.pop("clip_benchmark")  # undone, delitem would bring the stand-in back


def test_clip_benchmark_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "clip_benchmark", None)
    with pytest.raises(MissingDependency, match="clip_benchmark"):
        templates("clip_benchmark:cars")
