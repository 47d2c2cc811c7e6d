"""Draws a scene at any size."""

import numpy as np

from .canvas import Canvas
from .grammar import Scene
from .ground import paint_ground
from .land import paint_land
from .objects import paint_object
from .sky import paint_sky


def render(scene: Scene, width: int, height: int) -> np.ndarray:
    """[height, width, 3] uint8; the same scene gives the same picture."""
    canvas = Canvas(scene, width, height)
    for paint in (paint_sky, paint_land, paint_ground, paint_object):
        paint(canvas)
    return (np.clip(canvas.image, 0, 1) * 255 + 0.5).astype(np.uint8)
