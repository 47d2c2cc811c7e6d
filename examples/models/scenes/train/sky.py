"""Sky: gradient, stars, aurora, sun or moon, rainbow, clouds."""

import numpy as np

from .canvas import Canvas
from .texture import line_noise, mix, plane_noise, rgb, smoothstep

STARS = {"stars": 110, "moon": 30, "aurora": 40}
SUN_RADII = {"day": 0.04, "dawn": 0.05, "sunset": 0.065, "dusk": 0.045}
CLOUD_LIGHT = {
    "day": rgb(255, 255, 255),
    "dawn": rgb(255, 228, 212),
    "sunset": rgb(255, 180, 120),
    "dusk": rgb(212, 138, 170),
    "night": rgb(105, 118, 165),
}
CLOUD_SHADE = {
    "day": rgb(175, 190, 212),
    "dawn": rgb(190, 160, 180),
    "sunset": rgb(156, 82, 108),
    "dusk": rgb(92, 62, 118),
    "night": rgb(44, 58, 105),
}
RAINBOW = [
    rgb(150, 80, 220),
    rgb(60, 110, 240),
    rgb(60, 200, 110),
    rgb(250, 230, 70),
    rgb(255, 150, 50),
    rgb(240, 60, 60),
]


def paint_sky(canvas: Canvas) -> None:
    scene = canvas.scene
    night = scene.time == "night"
    paint_gradient(canvas)
    if night and scene.sky != "cloudy":
        if scene.sky == "stars":
            paint_milky_way(canvas)
        paint_stars(canvas)
    if scene.sky == "aurora":
        paint_aurora(canvas)
    if scene.sky == "moon" or (scene.sky in ("clear", "cloudy", "rainbow") and not night):
        paint_sun(canvas)
    canvas.image = np.clip(canvas.image, 0, 1)
    if scene.sky == "rainbow":
        paint_rainbow(canvas)
    if scene.sky in ("cloudy", "overcast"):
        paint_clouds(canvas)


def paint_gradient(canvas: Canvas) -> None:
    t = np.clip(canvas.y / canvas.horizon, 0, 1)[..., None]
    upper = mix(canvas.zenith, canvas.middle, t / 0.55)
    lower = mix(canvas.middle, canvas.haze, (t - 0.55) / 0.45)
    canvas.image = np.where(t < 0.55, upper, lower).astype(np.float32)


def paint_milky_way(canvas: Canvas) -> None:
    rng, aspect = canvas.rng, canvas.aspect
    side = rng.choice([-1, 1])
    middle = canvas.y - 0.27 * canvas.horizon - 0.45 * side * (canvas.x / aspect - 0.5)
    clumps = plane_noise(rng, canvas.width, canvas.height, 3 * aspect, 3, 2)
    band = np.exp(-((middle / 0.09) ** 2)) * (0.7 + 0.3 * np.tanh(clumps))
    canvas.image += band[..., None] * rgb(78, 74, 120) * 0.9


def paint_stars(canvas: Canvas) -> None:
    rng, width, height = canvas.rng, canvas.width, canvas.height
    count = int(STARS[canvas.scene.sky] * canvas.aspect)
    glow = np.zeros((height, width), np.float32)
    columns = rng.random(count) * canvas.aspect
    rows = rng.random(count) ** 1.2 * canvas.horizon * 0.95
    for x, y, size in zip(columns, rows, rng.random(count) ** 2):
        radius = (0.0026 + 0.0036 * size) * height
        row, column, reach = y * height, x * height, int(radius * 2.5 + 2)
        top, bottom = max(0, int(row) - reach), min(height, int(row) + reach + 1)
        left, right = max(0, int(column) - reach), min(width, int(column) + reach + 1)
        yy, xx = np.mgrid[top:bottom, left:right]
        square = (yy + 0.5 - row) ** 2 + (xx + 0.5 - column) ** 2
        glow[top:bottom, left:right] += (0.55 + 0.45 * size) * np.exp(-square / radius**2)
    canvas.blend(rgb(255, 255, 245), np.clip(glow, 0, 1))


def paint_aurora(canvas: Canvas) -> None:
    rng, aspect = canvas.rng, canvas.aspect
    for _ in range(2):
        hem = canvas.horizon * rng.uniform(0.45, 0.72)
        hem = hem + 0.07 * line_noise(rng, canvas.width, 2.2 * aspect, 2, 0.4)
        above = hem[None] - canvas.y
        rays = (0.75 + 0.35 * line_noise(rng, canvas.width, 9 * aspect, 2, 0.6))[None]
        with np.errstate(over="ignore"):  # the branch that overflows is not taken
            curtain = np.exp(-above / (0.16 * rays + 0.02))
        strength = np.where(above > 0, curtain, np.exp(-((above / 0.02) ** 2))) * rays
        height = np.clip(above / 0.3, 0, 1)[..., None]
        colour = mix(rgb(60, 235, 130), rgb(150, 80, 220), height)
        canvas.image += strength[..., None] * colour * 0.62


def paint_sun(canvas: Canvas) -> None:
    """Sun, or the moon at night, with the glow around it."""
    night = canvas.scene.time == "night"
    radius = canvas.rng.uniform(0.07, 0.095) if night else SUN_RADII[canvas.scene.time]
    distance = np.sqrt((canvas.x - canvas.sun_x) ** 2 + (canvas.y - canvas.sun_y) ** 2)
    glow = np.exp(-distance / 0.15) * 0.42 + np.exp(-distance / 0.45) * 0.18
    canvas.image += glow[..., None] * canvas.sun * (0.55 if night else 1)
    disc = smoothstep(radius + canvas.pixel, radius - canvas.pixel, distance)
    colour = np.broadcast_to(np.minimum(1, canvas.sun * 1.05), canvas.image.shape)
    canvas.blend(colour, disc)
    canvas.sun_radius = radius


def paint_rainbow(canvas: Canvas) -> None:
    centre = canvas.aspect * canvas.rng.uniform(0.3, 0.7)
    radius = np.sqrt((canvas.x - centre) ** 2 + (canvas.y - canvas.horizon - 0.08) ** 2)
    across = (radius - 0.43) / 0.075
    place = np.clip(1 - across, 0, 1)[..., None] * 5
    colour = sum(c * np.clip(1 - np.abs(place - (5 - i)), 0, 1) for i, c in enumerate(RAINBOW))
    canvas.blend(colour, 0.6 * smoothstep(-0.02, 0.1, across) * smoothstep(1.02, 0.9, across))


def paint_clouds(canvas: Canvas) -> None:
    time, overcast = canvas.scene.time, canvas.scene.sky == "overcast"
    field = plane_noise(canvas.rng, canvas.width, canvas.height, 2.2 * canvas.aspect, 5.5, 4, 0.48)
    least = -0.8 if overcast else 0.25
    above = smoothstep(canvas.horizon + 0.02, canvas.horizon - 0.16, canvas.y)
    cover = smoothstep(least, least + 0.85, field) * above
    higher = np.roll(field, -max(1, int(canvas.height * 0.03)), 0)
    lit = np.clip(0.6 + 0.5 * (field - higher), 0, 1)[..., None]
    light, shade = CLOUD_LIGHT[time], CLOUD_SHADE[time]
    if overcast:
        light, shade = light * 0.84, shade * 0.7
    canvas.blend(mix(shade, light, lit), cover * 0.94)
