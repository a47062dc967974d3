"""Small inputs that have gone wrong for someone: written to disk in one line each."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from surefoot.data.dataset import Split
from surefoot.data.source import Source
from surefoot.errors import SurefootError

COLOURS = {"cat": (210, 40, 40), "dog": (40, 40, 210), "bus": (40, 200, 40)}


def picture(label: str, i: int, size: int = 16) -> Image.Image:
    """A square in the colour of its class, a little different each time."""
    rng = np.random.default_rng([i, len(label)])
    base = np.array(COLOURS.get(label, (120, 120, 40)))
    noise = rng.integers(-30, 30, (size, size, 3))
    return Image.fromarray(np.clip(base + noise, 0, 255).astype(np.uint8))


def coded(image: Image.Image, kind: str = "PNG") -> bytes:
    """Encoded bytes."""
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def rows(counts: Mapping[str, int], start: int = 0) -> list[tuple[str, bytes]]:
    """(label, encoded image) of so many images a class, each class after the other."""
    return [
        (label, coded(picture(label, start + i))) for label, n in counts.items() for i in range(n)
    ]


def folders(root: Path, counts: Mapping[str, int], start: int = 0) -> Path:
    """Class folders."""
    for i, (label, data) in enumerate(rows(counts, start)):
        place = root / label
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.png").write_bytes(data)
    return root


def table(
    file: Path, counts: Mapping[str, int], *, separator: str = ",", start: int = 0,
    names: tuple[str, str] = ("path", "label"), more: Mapping[str, Sequence[object]] | None = None,
    encoding: str = "utf-8", header: bool = True, slash: str = "/",
) -> Path:  # fmt: skip
    """A CSV with its images beside it."""
    pictures = file.parent / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    more = more or {}
    with open(file, "w", newline="", encoding=encoding) as out:
        writer = csv.writer(out, delimiter=separator)
        if header:
            writer.writerow([*names, *more])
        for i, (label, data) in enumerate(rows(counts, start)):
            (pictures / f"{start}_{i}.png").write_bytes(data)
            extra = [column[i] for column in more.values()]
            writer.writerow([f"pictures{slash}{start}_{i}.png", label, *extra])
    return file


def parquet(
    file: Path, counts: Mapping[str, int], *, start: int = 0, names: Sequence[str] = (),
    labels: Any = None,
) -> Path:  # fmt: skip
    """Embedded images; with ``names`` labels are numbers, named by the file's metadata."""
    found = rows(counts, start)
    column = labels if labels is not None else [names.index(k) if names else k for k, _ in found]
    images = [{"bytes": data, "path": None} for _, data in found]
    made = pa.table({"image": images, "label": column})
    if names:
        feature = {"names": list(names), "_type": "ClassLabel"}
        about = json.dumps({"info": {"features": {"label": feature}}})
        made = made.replace_schema_metadata({"huggingface": about})
    pq.write_table(made, file)
    return file


def saved(
    folder: Path, splits: Mapping[str, Mapping[str, int]], *, feature: Any = None,
    labels: Callable[[str], Any] = str, start: int = 0,
) -> Path:  # fmt: skip
    """A DatasetDict saved to disk; each split begins with other images."""
    datasets = pytest.importorskip("datasets")
    made = {}
    for number, (split, counts) in enumerate(splits.items()):
        found = rows(counts, start + 100 * number)
        kinds = {"image": datasets.Image(), "label": feature or datasets.Value("string")}
        made[split] = datasets.Dataset.from_dict(
            {"image": [{"bytes": d, "path": None} for _, d in found],
             "label": [labels(k) for k, _ in found]},
            features=datasets.Features(kinds),
        )  # fmt: skip
    datasets.DatasetDict(made).save_to_disk(folder)
    return folder


def shard(file: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    """A tar of these members, in order."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file


def samples(counts: Mapping[str, int], start: int = 0) -> list[tuple[str, bytes]]:
    """Members N.png and N.cls, side by side."""
    return [
        member
        for i, (label, data) in enumerate(rows(counts, start))
        for member in ((f"{i}.png", data), (f"{i}.cls", label.encode()))
    ]


def read(spec: object, use: str = "train", **options: Any) -> Split:
    """One split, as a command reads it."""
    return Source.parse(str(spec)).read(name=use, domain="ID", use=use, **options)


def left_out(split: Split) -> int:
    """Rows, files or samples that were read and are no part of a split."""
    return sum(getattr(note, "rows", 0) for note in split.notes
               if getattr(note, "kind", "") == "left out")  # fmt: skip


def refusal(words: str, act: Callable[[], Any]) -> SurefootError:
    """The error of an act that is refused in these words (in what it says or in the fix)."""
    with pytest.raises(SurefootError) as caught:
        act()
    error = caught.value
    said = f"{error} {error.expected} {error.fix}"
    assert words in said, said
    return error


def grey(file: Path, values: NDArray[Any]) -> Path:
    """One image of one channel in the type of its numbers: 16-bit PNG, float TIFF."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(file)
    return file


def state(seed: int, *, rows_: int = 3) -> dict[str, torch.Tensor]:
    """A small network's state: a layer with BatchNorm and a head."""
    g = torch.Generator().manual_seed(seed)
    return {
        "blocks.0.weight": torch.randn(4, 3, generator=g),
        "blocks.1.running_var": torch.rand(4, generator=g) + 0.1,
        "blocks.1.num_batches_tracked": torch.tensor(seed),
        "head.weight": torch.randn(rows_, 4, generator=g),
    }


def weights(
    file: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None
) -> Path:
    """A safetensors file, or by its name a .pt."""
    if file.suffix == ".safetensors":
        save_file(dict(tensors), file, metadata=dict(metadata or {}) or None)
    else:
        torch.save(dict(tensors), file)
    return file
