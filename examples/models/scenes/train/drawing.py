"""Shapes with clean outlines: drawn at twice the size, then averaged."""

import numpy as np
from PIL import Image, ImageDraw

from .canvas import Canvas

SCALE = 2


class Drawing:
    """An enlarged copy of a canvas; `finish` brings it back. Coordinates are pixels of the copy."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.width, self.height = canvas.width * SCALE, canvas.height * SCALE
        levels = (np.clip(canvas.image, 0, 1) * 255).astype(np.uint8)
        size = (self.width, self.height)
        self._picture = Image.fromarray(levels).resize(size, Image.BILINEAR)
        self._draw = ImageDraw.Draw(self._picture)

    def ellipse(self, x: float, y: float, half_width: float, half_height: float, colour) -> None:
        box = [x - half_width, y - half_height, x + half_width, y + half_height]
        self._draw.ellipse(box, fill=_levels(colour))

    def rectangle(self, left: float, top: float, right: float, bottom: float, colour) -> None:
        self._draw.rectangle([left, top, right, bottom], fill=_levels(colour))

    def polygon(self, corners: list[tuple[float, float]], colour) -> None:
        self._draw.polygon(corners, fill=_levels(colour))

    def finish(self) -> None:
        size = (self.canvas.width, self.canvas.height)
        small = self._picture.resize(size, Image.BOX)
        self.canvas.image = np.asarray(small, np.float32) / 255


def _levels(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(int(level) for level in np.clip(colour * 255, 0, 255))
