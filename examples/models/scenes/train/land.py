"""What stands at the horizon: mountains, mesas, a volcano, hills, fog."""

from dataclasses import dataclass

import numpy as np

from .canvas import Canvas
from .texture import WHITE, line_noise, mix, plane_noise, rgb, smoothstep


# Peaks are few and large, so that the denoiser, which sees every eighth pixel, can learn them.
SNOW_ROCK, BARE_ROCK = rgb(84, 90, 116), rgb(112, 90, 74)
SNOW_DEPTH = (0.48, 0.62)
"""How far down a peak the snow lies, as a share of its height."""


@dataclass(frozen=True)
class Peak:
    """A triangle above the horizon; `left` and `right` are how steep its flanks are."""

    centre: float
    top: float
    left: float
    right: float


def paint_land(canvas: Canvas) -> None:
    land = canvas.scene.land
    if land == "snowy":
        paint_mountains(canvas, SNOW_ROCK, canvas.rng.uniform(*SNOW_DEPTH))
    elif land == "mountains":
        paint_glow(canvas, 0.3, 0.6)
        paint_mountains(canvas, BARE_ROCK, None)
    elif land == "mesa":
        paint_mesas(canvas)
    elif land == "volcano":
        paint_volcano(canvas)
    elif land == "hills":
        paint_hills(canvas)
    elif land == "flat":
        paint_glow(canvas, 0.05, 0.6)
    if canvas.scene.fog:
        paint_fog(canvas)


def paint_glow(canvas: Canvas, height: float, strength: float) -> None:
    """Light haze that rises from the horizon: what stands in front of it is a silhouette."""
    above = np.clip(canvas.horizon - canvas.y, 0, 1)
    light = mix(canvas.haze, WHITE, 0.12)
    canvas.blend(light, strength * np.exp(-((above / height) ** 2)))


def paint_mountains(canvas: Canvas, rock: np.ndarray, snow: float | None) -> None:
    top = canvas.horizon * canvas.rng.uniform(0.56, 0.74)
    # The lower ones stand in front.
    for peak in sorted(draw_peaks(canvas, top), key=lambda peak: -peak.top):
        paint_peak(canvas, peak, rock, snow)


def draw_peaks(canvas: Canvas, top: float) -> list[Peak]:
    """High ones and low ones by turns."""
    rng = canvas.rng
    peaks, high = [], rng.random() < 0.5
    centre = rng.uniform(-0.15, 0.15)
    while centre < canvas.aspect + 0.15:
        share = rng.uniform(0.82, 1) if high else rng.uniform(0.42, 0.68)
        left, right = rng.uniform(0.9, 1.5, 2)
        peaks.append(Peak(centre, top * share, left, right))
        centre += rng.uniform(0.2, 0.32)
        high = not high
    return peaks


def paint_peak(canvas: Canvas, peak: Peak, rock: np.ndarray, snow: float | None) -> None:
    """`snow` is the share of the height that it covers, None for none."""
    rng, light = canvas.rng, canvas.light
    aside = canvas.x[0] - peak.centre
    rough = line_noise(rng, canvas.width, 11 * canvas.aspect, 3, 0.5, True)
    crest = peak.top - np.where(aside < 0, -aside * peak.left, aside * peak.right)
    crest = crest + 0.03 * rough * smoothstep(0, 0.06, np.abs(aside))
    crest = np.maximum(crest, -0.05).astype(np.float32)
    down = np.clip((canvas.y - (canvas.horizon - peak.top)) / peak.top, 0, 1)
    # The ridge that comes towards us parts the lit flank from the one in the shade.
    wander = 0.04 * line_noise(rng, canvas.height, 5, 3, 0.5, True)[:, None]
    ridge = canvas.x - peak.centre + (wander - 0.05 * light) * np.sqrt(down)
    lit = smoothstep(-0.012, 0.012, ridge * light)
    streaks = 0.16 * line_noise(rng, canvas.width, 16 * canvas.aspect, 2, 0.5, True)[None]
    colour = rock * (mix(0.5, 1.08, lit) + streaks)[..., None] * canvas.ambient
    colour = mix(colour, canvas.far, (0.35 * down**2)[..., None])
    if snow is not None:
        edge = 0.3 * line_noise(rng, canvas.width, 10 * canvas.aspect, 2, 0.5, True)[None]
        share = smoothstep(0.03, -0.03, down - snow * (1 + edge))
        white = mix(canvas.ambient, WHITE, 0.66) * mix(rgb(196, 208, 236), WHITE, lit[..., None])
        colour = mix(colour, white, share[..., None])
    canvas.ridge(crest, colour)


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
