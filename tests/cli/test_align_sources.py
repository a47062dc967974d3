"""``surefoot align`` with every kind of pairs and of text encoder, as a user types it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from ..conftest import Drawn, write_folders
from ..models import clips
from ..models.test_text_encoders import sentence_folder, transformer
from .test_align import surefoot

__all__ = ["transformer"]

QUICK = ("--epochs", 1, "--alphas", 2, "--k", 3, "--device", "cpu", "--batch", 16)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same 24 pairs as COCO captions and as two shards; folders of classes to be asked."""
    root = tmp_path_factory.mktemp("sources")
    for name, n, seed in (("train", 18, 0), ("val", 9, 3), ("test", 9, 1), ("shift", 9, 2)):
        write_folders(root / name, n, seed=seed, shifted=name == "shift")
    (root / "images").mkdir()
    drawn = Drawn(24, seed=7)
    images, said = [], []
    for i, label in enumerate(drawn.labels):
        Image.fromarray(drawn.pixels[i]).save(root / "images" / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png"})
        said += [{"id": 2 * i + k, "image_id": i, "caption": f"{word} cat number {i}, {label}"}
                 for k, word in enumerate(("a", "the"))]  # fmt: skip
    (root / "captions.json").write_text(json.dumps({"images": images, "annotations": said}))
    for shard in range(2):
        with tarfile.open(root / f"{shard:03d}.tar", "w") as tar:
            for i in range(12 * shard, 12 * shard + 12):
                add(tar, f"{i}.png", (root / "images" / f"{i}.png").read_bytes())
                add(tar, f"{i}.txt", f"a dog on mat {i}".encode())
    return root


def add(tar: tarfile.TarFile, name: str, raw: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(raw)
    tar.addfile(member, BytesIO(raw))


@pytest.fixture(scope="module")
def open_clip_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("open-clip")
    with clips.registry():
        clips.register(folder)
        path = folder / "weights.pt"
        torch.save(clips.clip(quick_gelu=False).state_dict(), path)
        yield f"open_clip:{clips.NAME}@{path}"


def aligned(data: Path, out: Path, *arguments: object) -> dict[str, object]:
    """Run it; what align.json says."""
    stdout, stderr = surefoot(
        "align", "--model", "tiny-dino", *arguments, *QUICK,
        "--train", data / "train", "--val", data / "val", "--test", data / "test",
        "--shift", f"dim={data / 'shift'}", "--out", out,
    )  # fmt: skip
    assert (out / "report.html").is_file()
    assert "kNN" in stdout + stderr
    found: dict[str, object] = json.loads((out / "align.json").read_text())
    return found


def test_coco_captions_and_a_sentence_folder(data: Path, transformer: Path, tmp_path: Path) -> None:
    folder = sentence_folder(transformer, tmp_path / "minilm")
    facts = aligned(
        data, tmp_path / "study", "--pairs", f"coco:{data / 'captions.json'}:{data / 'images'}",
        "--text", f"sentence:{folder}", "--adapter", "token-replay", "--control", "random",
    )  # fmt: skip
    assert facts["text_saw_images"] is False
    assert (facts["pairs"], facts["captions"]) == (24, 48)
    page = (tmp_path / "study" / "report.html").read_text()
    assert "Token Replay (our reading)" in page
    runs = {p.parent.name for p in (tmp_path / "study").glob("*/run.json")}
    assert runs == {"language-token-replay", "language-token-replay-random"}


def test_shards_and_an_open_clip_tower_that_saw_images(
    data: Path, open_clip_file: str, tmp_path: Path
) -> None:
    facts = aligned(
        data, tmp_path / "study", "--pairs", f"wds:{data}/{{000..001}}.tar",
        "--text", open_clip_file, "--adapter", "film-all", "--control", "none",
    )  # fmt: skip
    assert facts["text_saw_images"] is True
    assert (facts["pairs"], facts["captions"]) == (24, 24)
    assert "text_saw_images" in (tmp_path / "study" / "report.html").read_text()
