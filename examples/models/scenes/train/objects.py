"""Things that stand out: a sailboat, a hot air balloon."""

import numpy as np

from .canvas import Canvas
from .drawing import SCALE, Drawing
from .texture import WHITE, mix, rgb

BALLOONS = [
    (rgb(225, 60, 60), rgb(250, 225, 90)),
    (rgb(50, 110, 220), rgb(245, 245, 245)),
    (rgb(240, 140, 40), rgb(190, 50, 120)),
]
# Corners to the right and up from the water line, in units of the boat's height.
HULL = [(-0.33, 0.14), (0.36, 0.14), (0.24, 0), (-0.24, 0)]
MAINSAIL = [(0.0, 0.98), (0.0, 0.19), (0.34, 0.19)]
JIB = [(-0.04, 0.86), (-0.04, 0.19), (-0.28, 0.19)]


def paint_object(canvas: Canvas) -> None:
    if canvas.scene.object == "sailboat":
        paint_sailboat(canvas)
    elif canvas.scene.object == "hot air balloon":
        paint_balloon(canvas)


def lit(canvas: Canvas, colour: np.ndarray) -> np.ndarray:
    return colour * mix(canvas.ambient, WHITE, 0.25)


def paint_sailboat(canvas: Canvas) -> None:
    rng, horizon = canvas.rng, canvas.horizon
    drawing = Drawing(canvas)
    tall = rng.uniform(0.24, 0.34) * drawing.height
    x = rng.uniform(0.25, 0.75) * drawing.width
    y = (horizon + (1 - horizon) * rng.uniform(0.3, 0.6)) * drawing.height
    side = rng.choice([-1, 1])
    row = min(canvas.height - 1, int(y / SCALE))
    water = canvas.image[row, int(x / SCALE)]
    for up in (-1, 1):  # first the reflection
        for shape, colour in (
            (HULL, rgb(150, 70, 45)),
            (MAINSAIL, rgb(250, 246, 236)),
            (JIB, rgb(228, 84, 66)),
        ):
            corners = [(x + side * a * tall, y - up * b * tall) for a, b in shape]
            seen = mix(colour, water, 0.6) if up < 0 else colour
            drawing.polygon(corners, lit(canvas, seen))
    drawing.finish()


def paint_balloon(canvas: Canvas) -> None:
    rng = canvas.rng
    drawing = Drawing(canvas)
    r = rng.uniform(0.13, 0.18) * drawing.height
    x, y = rng.uniform(0.2, 0.8) * drawing.width, rng.uniform(0.17, 0.3) * drawing.height
    outer, inner = BALLOONS[rng.integers(3)]

    def skirt(top: float, bottom: float, start: float, colour: np.ndarray) -> None:
        upper, lower, end = y + r * start, y + r * 1.35, r * bottom
        corners = [(x - r * top, upper), (x + r * top, upper), (x + end, lower), (x - end, lower)]
        drawing.polygon(corners, lit(canvas, colour))

    skirt(0.72, 0.18, 0.62, outer * 0.92)
    drawing.ellipse(x, y, r, r, lit(canvas, outer))
    drawing.ellipse(x, y, r * 0.55, r, lit(canvas, inner))
    skirt(0.36, 0.1, 0.7, inner * 0.95)
    drawing.ellipse(x, y, r * 0.2, r, lit(canvas, outer))
    basket = lit(canvas, rgb(120, 80, 50))
    drawing.rectangle(x - r * 0.2, y + r * 1.42, x + r * 0.2, y + r * 1.75, basket)
    drawing.finish()
