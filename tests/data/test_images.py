"""Every kind of file that Pillow reads becomes upright 8-bit RGB."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from surefoot.data.images import FileImages, MemoryImages, RangeImages, decode, reason
from surefoot.data.strings import Strings, natural

from .pictures import encoded, picture


def written(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    image = decode(data)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_rgb_files_come_back_as_they_are() -> None:
    original = np.asarray(picture(1))
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        assert (pixels(written(picture(1), kind)) == original).all(), kind
    assert (pixels(written(picture(1), "WEBP", lossless=True)) == original).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_format_named_by_the_first_bytes_changes_nothing(kind: str) -> None:
    data = written(picture(2), kind)
    slow = Image.open(io.BytesIO(data)).convert("RGB")
    assert (pixels(data) == np.asarray(slow)).all()


def test_a_picture_that_is_a_program_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostScript, under whatever name: Pillow would have Ghostscript run it."""
    from PIL import EpsImagePlugin

    from surefoot.data.check import check_images
    from surefoot.data.folder import from_folder, image_extensions

    ran: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *given, **_: ran.append(given))
    data = written(picture(2), "EPS")
    with pytest.raises(OSError, match="cannot identify") as caught:
        decode(data)
    assert reason(caught.value).startswith("not an image")
    assert ".eps" not in image_extensions()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(data)
    split = from_folder(tmp_path, name="x", domain="ID", use="test")
    for quick in (True, False):
        assert [bad for bad, _ in check_images(split, quick=quick)] == ["a/1.jpg"]
    assert not ran


@pytest.mark.parametrize("head", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBPVP8 "])
def test_first_bytes_that_promise_too_much(head: bytes) -> None:
    with pytest.raises(OSError) as caught:
        decode(head + b"and then nothing of the kind")
    assert reason(caught.value).startswith(("not an image", "truncated"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("lossless", [True, False])
def test_webp_is_laid_on_white_too(mode: str, lossless: bool) -> None:
    image = picture(3, (17, 12)).convert(mode)
    if mode == "RGBA":
        image.putalpha(picture(4, (17, 12)).convert("L"))
    data = written(image, "WEBP", lossless=lossless)
    slow = Image.open(io.BytesIO(data))
    ground = Image.new("RGBA", slow.size, "white")
    expected = np.asarray(Image.alpha_composite(ground, slow.convert("RGBA")).convert("RGB"))
    assert np.abs(pixels(data).astype(int) - expected).max() <= 1


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    out = pixels(written(Image.fromarray(ramp), "PNG"))
    assert out[0, :, 0].tolist() == [0, 1, 128, 255]
    assert (out[..., 0] == out[..., 1]).all()


def test_float_tiff_in_unit_range_is_scaled() -> None:
    ramp = np.array([[0.0, 0.5, 1.0]], dtype=np.float32)
    assert pixels(written(Image.fromarray(ramp), "TIFF"))[0, :, 0].tolist() == [0, 128, 255]


def test_transparency_is_laid_on_white() -> None:
    icon = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    icon.putpixel((1, 0), (10, 20, 30, 255))
    assert pixels(written(icon, "PNG"))[0].tolist() == [[255, 255, 255], [10, 20, 30]]
    grey = Image.new("LA", (1, 1), (0, 0))
    assert pixels(written(grey, "PNG"))[0].tolist() == [[255, 255, 255]]


def test_palette_with_a_transparent_entry() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.putpixel((1, 0), 1)
    out = pixels(written(image, "PNG", transparency=0))
    assert out[0].tolist() == [[255, 255, 255], [200, 100, 50]]
    assert pixels(written(image, "GIF"))[0].tolist() == [[0, 0, 0], [200, 100, 50]]


def test_cmyk_jpeg_keeps_its_colours() -> None:
    red = Image.new("RGB", (8, 8), (250, 10, 10)).convert("CMYK")
    assert (
        np.abs(pixels(written(red, "JPEG", quality=95))[4, 4].astype(int) - (250, 10, 10)).max() < 8
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees
    assert decode(written(picture(0, (20, 10)), kind, exif=exif)).size == (10, 20)


def test_multi_picture_file_gives_its_first_picture() -> None:
    data = written(picture(5, (16, 16)), "MPO", save_all=True, append_images=[picture(6, (16, 16))])
    near = np.abs(pixels(data).astype(int) - np.asarray(picture(5, (16, 16))).astype(int))
    assert near.mean() < 12


def test_one_bit_and_grey() -> None:
    assert (
        pixels(written(Image.new("1", (2, 2), 1), "PNG")).tolist()
        == np.full((2, 2, 3), 255).tolist()
    )
    assert (
        pixels(written(Image.new("L", (2, 2), 7), "PNG")).tolist() == np.full((2, 2, 3), 7).tolist()
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "not an image"),
        (encoded(0, "JPEG", (64, 64))[:400], "truncated"),
        (encoded(0, "PNG", (64, 64))[:200], "truncated"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 junk", "damaged"),
        (encoded(0, "WEBP", (64, 64))[:300], "damaged"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(data: bytes, why: str) -> None:
    with pytest.raises((OSError, SyntaxError)) as caught:
        decode(data)
    assert why in reason(caught.value)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=20))
def test_strings_are_a_list_of_strings(values: list[str]) -> None:
    strings = Strings(values)
    assert list(strings) == values
    assert strings[: len(values)] == values
    assert [strings[-i - 1] for i in range(len(values))] == values[::-1]
    with pytest.raises(IndexError):
        strings[len(values)]


def test_strings_keep_names_that_are_no_utf8() -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    assert Strings([name])[0] == name


def test_numbers_sort_as_numbers_and_names_as_text() -> None:
    assert natural(["10", "9", "2", "2"]) == ["2", "9", "10"]
    assert natural(["10", "9", "b"]) == ["10", "9", "b"]


def test_ranges_read_exactly_and_travel_to_other_processes(tmp_path: Path) -> None:
    parts = [encoded(i) for i in range(3)]
    file = tmp_path / "all.bin"
    file.write_bytes(b"".join(parts))
    sizes = np.array([len(p) for p in parts])
    images = RangeImages([str(file)], np.zeros(3, np.int32), np.cumsum(sizes) - sizes, sizes,
                         Strings("abc"))  # fmt: skip
    again = pickle.loads(pickle.dumps(images))
    for i in (2, 0, 1):
        assert images.read(i) == again.read(i) == parts[i]
    file.write_bytes(file.read_bytes()[:-1])
    images.close()
    with pytest.raises(OSError, match="truncated"):
        images.read(2)
    images.close()
    again.close()


def test_memory_images_say_that_a_row_is_empty() -> None:
    images = MemoryImages(pa.array([None], type=pa.large_binary()), ["a"])
    with pytest.raises(FileNotFoundError):
        images[0]


def test_file_images_take_absolute_paths(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(encoded())
    images = FileImages("/nowhere", [str(tmp_path / "x.png")])
    assert images[0].size == (8, 8)
