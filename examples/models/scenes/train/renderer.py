"""Draws a scene at any size."""

from copy import deepcopy
from dataclasses import replace

import numpy as np

from .canvas import Canvas
from .grammar import LANDS, Scene
from .ground import paint_ground
from .land import paint_land
from .objects import paint_object
from .sky import paint_sky


def render(scene: Scene, width: int, height: int) -> np.ndarray:
    """[height, width, 3] uint8; the same scene gives the same picture."""
    canvas = Canvas(scene, width, height)
    for paint in (paint_sky, paint_land, paint_ground, paint_object):
        paint(canvas)
    return _finished(canvas)


def render_family(scene: Scene, width: int, height: int) -> tuple[list[np.ndarray], list[Scene]]:
    """The same scene with each of the lands: nothing else differs, so what differs is what the word decides."""
    under = Canvas(scene, width, height)
    paint_sky(under)
    pictures, scenes = [], []
    for land in LANDS:
        canvas = deepcopy(under)
        canvas.scene = replace(scene, land=land)
        paint_land(canvas)
        # Lands draw different amounts of numbers; the ground is to be the same.
        canvas.rng = np.random.default_rng(scene.seed + 1)
        paint_ground(canvas)
        paint_object(canvas)
        pictures.append(_finished(canvas))
        scenes.append(canvas.scene)
    return pictures, scenes


def _finished(canvas: Canvas) -> np.ndarray:
    return (np.clip(canvas.image, 0, 1) * 255 + 0.5).astype(np.uint8)
