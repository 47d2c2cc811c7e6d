"""The picture that is being painted, with its geometry and its light.

Lengths are in units of the picture's height, so that a scene looks alike at 128, 256 and 512 pixels.
"""

import numpy as np

from .grammar import Scene
from .texture import mix, rgb, smoothstep

# Zenith, middle of the sky, haze at the horizon, sun or moon, ambient light.
PALETTES = {
    "day": ((40, 112, 208), (110, 178, 236), (208, 232, 246), (255, 250, 225), (255, 252, 245)),
    "dawn": ((98, 138, 200), (232, 178, 190), (255, 220, 172), (255, 238, 195), (236, 208, 204)),
    "sunset": ((66, 54, 128), (230, 98, 84), (255, 186, 82), (255, 228, 135), (212, 148, 122)),
    "dusk": ((36, 30, 88), (122, 70, 148), (236, 136, 152), (255, 196, 174), (142, 116, 164)),
    "night": ((12, 20, 58), (26, 46, 104), (72, 104, 168), (244, 244, 228), (98, 116, 172)),
}
# How far above the horizon sun and moon stand.
SUN_HEIGHTS = {
    "day": (0.28, 0.42),
    "dawn": (0.08, 0.2),
    "sunset": (0.06, 0.18),
    "dusk": (0.04, 0.1),
    "night": (0.26, 0.42),
}


class Canvas:
    """Painters draw on `image` [height, width, 3], one after the other, from the sky to the front."""

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self.scene, self.width, self.height = scene, width, height
        self.rng = rng = np.random.default_rng(scene.seed)
        colours = [
            np.clip(rgb(*colour) + rng.normal(0, 0.02, 3), 0, 1).astype(np.float32)
            for colour in PALETTES[scene.time]
        ]
        self.zenith, self.middle, self.haze, self.sun, self.ambient = colours
        self.horizon = rng.uniform(0.5, 0.64)
        self.aspect = width / height
        self.pixel = 1 / height
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        self.y, self.x = (rows + 0.5) / height, (columns + 0.5) / height
        self.sun_x = self.aspect * rng.uniform(0.15, 0.85)
        # All are drawn, so that the time of day changes nothing that is drawn after them.
        heights = {time: rng.uniform(*bounds) for time, bounds in SUN_HEIGHTS.items()}
        self.sun_y = self.horizon - heights[scene.time]
        self.sun_radius = 0.0
        """0 where there is no sun and no moon to be seen."""
        if scene.sky == "overcast":
            self._dim()
        self.far = mix(self.haze, self.middle, 0.3)
        """The colour that distance fades to."""
        self.light = 1 if self.sun_x > self.aspect / 2 else -1
        """The side that the light comes from: 1 right, -1 left."""
        self.depth = np.clip((self.y - self.horizon) / (1 - self.horizon), 0, 1)
        """[height, width]; 0 at the horizon, 1 at the lower edge."""
        self.image = np.zeros((height, width, 3), np.float32)

    def _dim(self) -> None:
        grey = rgb(150, 156, 168)
        self.zenith = mix(self.zenith, grey * 0.72, 0.8)
        self.middle = mix(self.middle, grey * 0.95, 0.8)
        self.haze = mix(self.haze, grey * 1.3, 0.75)
        self.ambient = self.ambient * 0.8

    def blend(self, colour: np.ndarray, share: np.ndarray) -> None:
        """Lay `colour` ([3] or [height, width, 3]) over the picture with `share` [height, width]."""
        self.image = mix(self.image, colour, share[..., None])

    def ridge(self, heights: np.ndarray, colour: np.ndarray) -> None:
        """Fill what lies below a skyline; `heights` [width] are above the horizon."""
        share = smoothstep(-self.pixel, self.pixel, self.y - (self.horizon - heights)[None])
        self.blend(np.clip(colour, 0, 1), share)
