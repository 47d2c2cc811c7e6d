"""Noise and small functions that the painters share. Colours are float32 in 0..1."""

import math

import numpy as np
from PIL import Image


def rgb(*levels: int) -> np.ndarray:
    """[3] from levels 0..255."""
    return np.array(levels, np.float32) / 255


WHITE = np.ones(3, np.float32)


def mix(a, b, share):
    return a + (b - a) * share


def smoothstep(a, b, x):
    """0 at a, 1 at b, smooth between; a may be the larger one."""
    t = np.clip((x - a) / (b - a), 0, 1)
    return t * t * (3 - 2 * t)


def enlarge(field: np.ndarray, width: int, height: int) -> np.ndarray:
    """[rows, columns] -> [height, width], bicubic."""
    picture = Image.fromarray(field.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.BICUBIC))


def plane_noise(rng, width, height, cells_x, cells_y, octaves=3, falloff=0.5) -> np.ndarray:
    """[height, width] of about unit variance, `cells_x` by `cells_y` blobs in the first octave."""
    out = np.zeros((height, width), np.float32)
    amplitude, power = 1, 0
    for _ in range(octaves):
        grid = rng.standard_normal((max(2, int(cells_y) + 1), max(2, int(cells_x) + 1)))
        out += amplitude * enlarge(grid, width, height)
        power += amplitude * amplitude
        amplitude *= falloff
        cells_x *= 2
        cells_y *= 2
    return out / math.sqrt(power)


def line_noise(rng, length, cells, octaves, falloff, angular=False) -> np.ndarray:
    """[length] of about -1..1; `angular` is piecewise linear, as the crests of rocks are."""
    out = np.zeros(length, np.float32)
    amplitude, total = 1, 0
    for _ in range(octaves):
        points = max(3, int(cells) + 2)
        if angular:
            places = np.linspace(0, points - 1, length)
            values = np.interp(places, np.arange(points), rng.uniform(-1, 1, points))
            line = values.astype(np.float32)
        else:
            line = enlarge(rng.standard_normal((1, points)).repeat(2, 0), length, 2)[0]
        out += amplitude * line
        total += amplitude
        amplitude *= falloff
        cells *= 2.1
    return out / total
