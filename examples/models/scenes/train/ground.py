"""What lies in front of the horizon: water, meadow, flowers, desert, snow, forest."""

import numpy as np

from .canvas import Canvas
from .drawing import Drawing
from .texture import WHITE, line_noise, mix, plane_noise, rgb, smoothstep

# Per swell: distance from the horizon (0..1 of the ground), amplitude, cells per unit of width.
FLAT = (0, 0, 1)
DESERT = [FLAT, (0.14, 0.1, 1.6), (0.36, 0.16, 1.4), (0.68, 0.2, 1.2)]
SNOW = [FLAT, (0.2, 0.1, 1.4), (0.55, 0.16, 1.2)]
MEADOW = [FLAT, (0.16, 0.09, 1.5), (0.5, 0.15, 1.2)]
FLOWER_FIELD = [FLAT, (0.25, 0.1, 1.3)]
BLOSSOMS = [
    rgb(240, 64, 76),
    rgb(255, 214, 70),
    rgb(248, 248, 252),
    rgb(178, 92, 214),
    rgb(255, 132, 176),
]
# Per row of trees: distance from the horizon, height, spacing, share of the colour of distance.
TREE_ROWS = [(0.1, 0.09, 0.035, 0.45), (0.34, 0.17, 0.075, 0.2), (0.78, 0.3, 0.15, 0.0)]


def paint_ground(canvas: Canvas) -> None:
    ground = canvas.scene.ground
    if ground in ("lake", "sea"):
        paint_water(canvas)
    elif ground == "desert":
        paint_swells(canvas, rgb(230, 184, 114), DESERT, 0.34)
    elif ground == "snow":
        paint_swells(canvas, rgb(240, 245, 252), SNOW, 0.16)
    elif ground == "meadow":
        paint_swells(canvas, rgb(112, 176, 66), MEADOW, 0.28)
    elif ground == "flowers":
        paint_swells(canvas, rgb(96, 158, 64), FLOWER_FIELD, 0.2)
        paint_flowers(canvas)
    elif ground == "forest":
        paint_swells(canvas, rgb(84, 132, 66), [FLAT], 0.25)
        paint_trees(canvas)


def paint_swells(canvas: Canvas, base: np.ndarray, swells: list, contrast: float) -> None:
    """Stacked soft swells, each lit at its crest and darker towards the next."""
    pixel = canvas.pixel * 1.6
    for number, (distance, amplitude, cells) in enumerate(swells):
        noise = line_noise(canvas.rng, canvas.width, cells * canvas.aspect, 2, 0.3)
        crest = distance + amplitude * noise
        if number == 0:
            crest = crest * 0 - 1e-3
        below = canvas.depth - crest[None]
        slope = np.tanh(np.gradient(crest) * canvas.height * 1.2) * canvas.light
        lit = 1.0 - contrast * smoothstep(0, 0.34, below)
        lit = lit - contrast * 0.8 * slope[None] * (1 - smoothstep(0, 0.25, below))
        share = smoothstep(-pixel, pixel, below) * (canvas.y > canvas.horizon - canvas.pixel)
        canvas.blend(np.clip(base * lit[..., None] * canvas.ambient, 0, 1), share)


def paint_water(canvas: Canvas) -> None:
    """A mirror of what is above the horizon, tinted; the sea has waves as well."""
    rng, width, height, aspect = canvas.rng, canvas.width, canvas.height, canvas.aspect
    sea, depth, horizon = canvas.scene.ground == "sea", canvas.depth, canvas.horizon
    ripples = plane_noise(rng, width, height, 3 * aspect, 34, 2)
    swell = plane_noise(rng, width, height, 2.5 * aspect, 20, 2)
    shake = ripples * (0.006 + 0.02 * depth) * (1.2 if sea else 0.6)
    rows = (2 * horizon - canvas.y + shake) * height
    rows = np.clip(rows, 0, int(horizon * height) - 1).astype(int)
    columns = np.clip(canvas.x * height, 0, width - 1).astype(int)
    mirrored = canvas.image[rows, columns]
    tint = (rgb(24, 92, 130) if sea else rgb(48, 98, 128)) * mix(canvas.ambient, WHITE, 0.12)
    tinted = 0.5 + 0.3 * depth if sea else 0.12 + 0.3 * depth
    colour = mix(mirrored * 0.92, tint, tinted[..., None])
    if sea:
        wave = np.sin(np.log(depth + 0.05) * 13 + swell * 0.9)
        crest = (smoothstep(0.3, 1.0, wave) * (0.05 + 0.2 * depth))[..., None]
        trough = (smoothstep(0.3, 1.0, -wave) * 0.05)[..., None]
        colour = colour + crest * canvas.ambient * mix(WHITE, canvas.sun, 0.5) - trough
    if canvas.sun_radius:
        path = np.exp(
            -(((canvas.x - canvas.sun_x) / (canvas.sun_radius * 0.8 + 0.07 * depth)) ** 2)
        )
        glitter = path * np.clip(0.35 + 0.65 * smoothstep(-0.1, 0.5, ripples), 0, 1) * 0.7
        strength = {"night": 0.8, "day": 0.45}.get(canvas.scene.time, 1)
        colour = colour + glitter[..., None] * canvas.sun * strength
    share = smoothstep(-canvas.pixel, canvas.pixel, canvas.y - horizon)
    canvas.blend(np.clip(colour, 0, 1), share)


def paint_flowers(canvas: Canvas) -> None:
    rng, horizon = canvas.rng, canvas.horizon
    kinds = [BLOSSOMS[i] for i in rng.permutation(5)[: rng.integers(1, 3)]]
    drawing = Drawing(canvas)
    for near in np.sort(rng.random(int(120 * canvas.aspect)) ** 0.75):
        x = rng.random() * drawing.width
        y = (horizon + (1 - horizon) * (near * 0.95 + 0.04)) * drawing.height
        radius = (0.004 + 0.016 * near) * drawing.height * rng.uniform(0.8, 1.15)
        colour = kinds[rng.integers(len(kinds))] * canvas.ambient
        drawing.ellipse(x, y, radius, radius * 0.75, colour)
    drawing.finish()


def paint_trees(canvas: Canvas) -> None:
    rng, horizon, ambient = canvas.rng, canvas.horizon, canvas.ambient
    drawing = Drawing(canvas)
    for distance, size, spacing, far in TREE_ROWS:
        green = mix(rgb(30, 84, 58) * mix(ambient, WHITE, 0.1), canvas.far, far)
        bark = mix(rgb(70, 50, 36) * ambient, canvas.far, far)
        place = -rng.random() * spacing
        while place < canvas.aspect + spacing:
            y = distance + rng.uniform(-0.04, 0.04)
            y = (horizon + (1 - horizon) * y) * drawing.height
            tall = size * drawing.height * rng.uniform(0.75, 1.2)
            shade = green * rng.uniform(0.86, 1.08)
            paint_tree(drawing, place * drawing.height, y, tall, shade, bark)
            place += spacing * rng.uniform(0.7, 1.5)
    drawing.finish()


def paint_tree(drawing: Drawing, x: float, y: float, tall: float, green, bark) -> None:
    """A fir of three tiers; (x, y) is the foot of its trunk in pixels of the drawing."""
    wide = tall * 0.27
    drawing.rectangle(x - wide * 0.12, y - tall * 0.12, x + wide * 0.12, y + tall * 0.04, bark)
    for tier in range(3):
        top = y - tall + tall * 0.24 * tier
        bottom, half = top + tall * 0.42, wide * (0.5 + 0.25 * tier)
        corners = [(x, top), (x - half, bottom), (x + half, bottom)]
        drawing.polygon(corners, green * (0.9 + 0.05 * tier))
