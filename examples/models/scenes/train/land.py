"""What stands at the horizon: mountains, mesas, a volcano, hills, fog."""

import numpy as np

from .canvas import Canvas
from .texture import WHITE, line_noise, mix, plane_noise, rgb, smoothstep


def paint_land(canvas: Canvas) -> None:
    land = canvas.scene.land
    if land == "snowy":
        paint_mountains(canvas, rgb(118, 122, 142), snow=0.55)
    elif land == "mountains":
        paint_mountains(canvas, rgb(132, 114, 100), snow=None)
    elif land == "mesa":
        paint_mesas(canvas)
    elif land == "volcano":
        paint_volcano(canvas)
    elif land == "hills":
        paint_hills(canvas)
    if canvas.scene.fog:
        paint_fog(canvas)


def paint_mountains(canvas: Canvas, rock: np.ndarray, snow: float | None) -> None:
    paint_rocks(canvas, canvas.rng.uniform(0.3, 0.4), 2.2, 0.45, rock, snow)
    less = None if snow is None else snow * 0.6
    paint_rocks(canvas, canvas.rng.uniform(0.17, 0.24), 3.0, 0.12, rock * 0.92, less)


def paint_rocks(canvas: Canvas, height, cells, distance, rock, snow) -> None:
    """One range.

    `height` above the horizon; `cells` peaks per unit of width; `distance` 0..1 fades it; `snow` is how far
    down snow lies on the highest peaks, None for none.
    """
    rng, aspect, light = canvas.rng, canvas.aspect, canvas.light
    crest = height * (0.62 + 0.75 * line_noise(rng, canvas.width, cells * aspect, 5, 0.46, True))
    crest = np.clip(crest, 0.012, canvas.horizon * 0.82).astype(np.float32)
    below = np.clip(canvas.y - (canvas.horizon - crest)[None], 0, 1)
    window = max(3, int(canvas.height * 0.018))
    padded = np.pad(crest, window, "edge")
    smooth = np.convolve(padded, np.ones(window) / window, "same")[window:-window]
    slope = np.gradient(smooth) * canvas.height
    # The edges of facets wander on their way down.
    wander = line_noise(rng, canvas.height, 9, 3, 0.6) * 0.05
    source = canvas.x + below * wander[:, None] * 4 - below * 0.25 * light
    source = np.clip(source * canvas.height, 0, canvas.width - 1).astype(int)
    lit = (0.62 + 0.42 * light * np.tanh(slope * 1.6))[source]
    down = np.clip(below / max(0.05, height), 0, 1)
    lit = mix(lit, 0.62, down * 0.7)[..., None]
    colour = rock * (lit + 0.12) * canvas.ambient
    if snow is not None:
        edge = 0.10 * line_noise(rng, canvas.width, 9 * aspect, 3, 0.6, True) + 0.03
        line = np.maximum(0, edge + snow * (crest - 0.35 * crest.max()))[None]
        share = smoothstep(0.012, -0.012, below - line)[..., None]
        white = rgb(244, 248, 255) * (0.45 + 0.62 * lit) * mix(canvas.ambient, WHITE, 0.25)
        colour = mix(colour, white, share)
    colour = mix(colour, canvas.far, distance)
    canvas.ridge(crest, mix(colour, canvas.far, (0.4 * down)[..., None]))


def paint_mesas(canvas: Canvas) -> None:
    for distance, height in ((0.45, 0.24), (0.1, 0.17)):
        steps = line_noise(canvas.rng, canvas.width, 2.4 * canvas.aspect, 2, 0.4)
        crest = (height * (0.18 + 0.82 * smoothstep(-0.06, 0.06, steps))).astype(np.float32)
        above = canvas.horizon - canvas.y
        layers = 0.22 * smoothstep(0.4, 0.6, np.sin(above * 95))
        slope = np.tanh(np.gradient(crest) * canvas.height * 0.5)[None]
        lit = 0.92 - layers - 0.25 * np.clip(above / -height + 1, 0, 1)
        lit = np.clip(lit + 0.12 * canvas.light * slope, 0.3, 1.2)[..., None]
        canvas.ridge(crest, mix(rgb(205, 100, 62) * lit * canvas.ambient, canvas.far, distance))


def paint_volcano(canvas: Canvas) -> None:
    rng = canvas.rng
    paint_rocks(canvas, 0.1, 2.4, 0.5, rgb(112, 104, 108), None)
    centre = canvas.aspect * rng.uniform(0.3, 0.7)
    top = rng.uniform(0.31, 0.37)
    aside = np.abs(canvas.x[0] - centre)
    flank = top * 1.06 * np.exp(-(aside - 0.05) / 0.21) - 0.06 * top
    flank = flank + 0.006 * line_noise(rng, canvas.width, 9 * canvas.aspect, 2, 0.5)
    crest = np.clip(np.where(aside < 0.05, top, flank), 0, 1).astype(np.float32)
    crater = canvas.horizon - top
    paint_smoke(canvas, centre, crater)
    distance = np.sqrt((canvas.x - centre) ** 2 + (canvas.y - crater) ** 2)
    glow = np.exp(-distance / 0.06)[..., None] * rgb(255, 110, 30)
    canvas.image = np.clip(canvas.image + glow, 0, 1)
    lit = 0.62 + canvas.light * np.tanh((canvas.x - centre) * 6) * 0.3
    lit = np.clip(lit, 0.2, 1)[..., None]
    canvas.ridge(crest, rgb(104, 84, 84) * lit * 1.1 * canvas.ambient)
    for _ in range(rng.integers(1, 4)):
        paint_lava(canvas, centre, crater)


def paint_smoke(canvas: Canvas, centre: float, crater: float) -> None:
    rng, width, height = canvas.rng, canvas.width, canvas.height
    side = rng.choice([-1, 1])
    above = np.clip(crater - canvas.y, 0, 1)
    drift = 0.03 * plane_noise(rng, width, height, 4, 6, 2)
    across = (canvas.x - centre - 0.35 * side * above + drift) / (0.04 + 0.32 * above)
    plume = np.exp(-(across**2)) * smoothstep(crater + 0.02, crater - 0.02, canvas.y)
    puffs = np.clip(0.5 + 0.35 * plane_noise(rng, width, height, 6, 6, 2), 0, 1)[..., None]
    colour = mix(rgb(92, 82, 88), rgb(170, 156, 156), puffs)
    canvas.blend(colour * mix(canvas.ambient, WHITE, 0.25), plume * 0.85)


def paint_lava(canvas: Canvas, centre: float, crater: float) -> None:
    rng, x, y, pixel = canvas.rng, canvas.x, canvas.y, canvas.pixel
    start = centre + rng.uniform(-0.03, 0.03)
    drift, phase = rng.uniform(-0.45, 0.45), rng.uniform(0, 6)
    length = rng.uniform(0.16, 0.28)
    below = np.clip(y - crater, 0, 1)
    middle = start + drift * below + 0.015 * np.sin(below * 26 + phase)
    half = 0.014 * (1 - below / length) + 0.004
    aside = np.abs(x - middle)
    stream = smoothstep(half + pixel, half - pixel, aside)
    stream = stream * (below > 0) * (below < length) * (y > crater)
    glow = np.exp(-aside / 0.02) * smoothstep(length, length * 0.6, below) * (y > crater)
    canvas.image = np.clip(canvas.image + glow[..., None] * rgb(160, 40, 5) * 0.5, 0, 1)
    heat = np.clip(1 - below / length, 0, 1)[..., None]
    canvas.blend(mix(rgb(255, 80, 15), rgb(255, 222, 90), heat), stream)


def paint_hills(canvas: Canvas) -> None:
    for distance, height, cells in ((0.5, 0.17, 1.6), (0.25, 0.12, 2), (0.06, 0.07, 1.6)):
        line = line_noise(canvas.rng, canvas.width, cells * canvas.aspect, 2, 0.3)
        crest = np.clip(height * (0.55 + 0.8 * line), 0.004, 1).astype(np.float32)
        slope = np.tanh(np.gradient(crest) * canvas.height * 2.2) * canvas.light
        down = np.clip((canvas.y - (canvas.horizon - crest)[None]) / 0.15, 0, 1)
        lit = 0.95 + 0.22 * slope[None] * (1 - down) - 0.25 * down
        colour = rgb(98, 156, 72) * lit[..., None] * canvas.ambient
        canvas.ridge(crest, mix(colour, canvas.far, distance))


def paint_fog(canvas: Canvas) -> None:
    band = np.exp(-(((canvas.y - canvas.horizon + 0.04) / 0.1) ** 2))
    white = rgb(232, 232, 236) * canvas.ambient.mean()
    canvas.blend(mix(canvas.haze, white, 0.4), 0.85 * band)
