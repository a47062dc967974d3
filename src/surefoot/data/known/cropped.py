"""Images with a border cut off as they are decoded."""

from __future__ import annotations

import hashlib

from PIL import Image

from ..sequence import Images, content

__all__ = ["Cropped"]


class Cropped:
    """Other images, without their outermost pixels.

    Args:
        images: What is decoded.
        border: Pixels to cut from each side.
    """

    def __init__(self, images: Images, border: int) -> None:
        self._images, self.border = images, border

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Image.Image:
        image = self._images[index]
        width, height = image.size
        cut = self.border
        if min(width, height) <= 2 * cut:
            raise OSError(f"{width} x {height} pixels are too few to cut a border of {cut}")
        return image.crop((cut, cut, width - cut, height - cut))

    def content(self, index: int) -> bytes:
        """The image's own, and the border."""
        return hashlib.sha256(
            f"border {self.border} ".encode() + content(self._images, index)
        ).digest()

    def id(self, index: int) -> str:
        """As the images' own."""
        return self._images.id(index)
