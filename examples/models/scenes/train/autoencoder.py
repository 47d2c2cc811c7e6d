"""Pixels <-> latents: a fixed linear encoder and a learned decoder, by a factor of 8."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .denoiser import LATENT_CHANNELS
from .upsampling import Upsample

PATCH = 8
"""Pixels of an image per latent row or column."""
RELEASED_ENCODER = Path(__file__).with_name("encoder.npz")


@dataclass(frozen=True)
class Encoder:
    """The principal components of 8x8x3 patches. The latents of all weights depend on it."""

    weight: Tensor
    """[8, 3, 8, 8]"""
    bias: Tensor
    """[8]"""
    inverse: Tensor
    """[8, 3, 8, 8]: what the decoder starts from."""

    def __call__(self, images: Tensor) -> Tensor:
        """[N, 3, H, W] in -1..1 -> [N, 8, H/8, W/8]."""
        return F.conv2d(images, self.weight, self.bias, stride=PATCH)

    def to(self, device: str) -> "Encoder":
        return Encoder(self.weight.to(device), self.bias.to(device), self.inverse.to(device))

    def save(self, path: Path) -> None:
        np.savez(path, weight=self.weight, bias=self.bias, inverse=self.inverse)

    @staticmethod
    def load(path: Path = RELEASED_ENCODER) -> "Encoder":
        with np.load(path) as arrays:
            parts = [torch.from_numpy(arrays[name]) for name in ("weight", "bias", "inverse")]
        return Encoder(*parts)

    @staticmethod
    def fit(images: list[np.ndarray], patches: int = 60_000, seed: int = 0) -> "Encoder":
        """@param images Arrays [n, H, W, 3] uint8."""
        rng = np.random.default_rng(seed)
        found = []
        for array in images:
            n, h, w, _ = array.shape
            grid = array.astype(np.float32) / 127.5 - 1
            grid = grid.reshape(n, h // PATCH, PATCH, w // PATCH, PATCH, 3)
            rows = grid.transpose(0, 1, 3, 5, 2, 4).reshape(-1, 3 * PATCH * PATCH)
            found.append(rows[rng.integers(len(rows), size=max(1, patches // len(images)))])
        rows = np.concatenate(found)
        mean = rows.mean(0)
        values, vectors = np.linalg.eigh(np.cov((rows - mean).T))
        order = np.argsort(-values)[:LATENT_CHANNELS]
        deviation, vectors = np.sqrt(values[order]), vectors[:, order]
        # Square roots keep the faint channels visible beside the strong ones: from 1 to about 0.25.
        scale = (deviation / deviation[0]) ** 0.5
        shape = (LATENT_CHANNELS, 3, PATCH, PATCH)
        forth = (vectors / deviation * scale).T.astype(np.float32)
        back = (vectors * deviation / scale).T.astype(np.float32).reshape(shape)
        bias = -(forth @ mean).astype(np.float32)
        return Encoder(
            torch.from_numpy(forth.reshape(shape)), torch.from_numpy(bias), torch.from_numpy(back)
        )


class PlainResidual(nn.Module):
    """A residual block without a norm, so that strips of an image are decoded exactly."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.c2 = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.c2.weight.mul_(0.2)
            self.c2.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.c2(F.silu(self.c1(F.silu(x))))


class Correction(nn.Module):
    """What the linear decoder lacks. [N, 8, h, w] -> [N, 3, 8h, 8w]."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        a, b, c = channels
        self.net = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, a, 3, padding=1),
            PlainResidual(a),
            PlainResidual(a),
            Upsample(a, b),
            PlainResidual(b),
            PlainResidual(b),
            Upsample(b, c),
            PlainResidual(c),
            PlainResidual(c),
            nn.SiLU(),
            nn.Conv2d(c, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )
        nn.init.zeros_(self.net[-2].weight)
        nn.init.zeros_(self.net[-2].bias)

    def forward(self, latents: Tensor) -> Tensor:
        return self.net(latents)


class Decoder(nn.Module):
    """[N, 8, h, w] -> [N, 3, 8h, 8w] in about -1..1: the encoder's inverse and a correction."""

    channels = (112, 72, 36)

    def __init__(self, inverse: Tensor | None = None) -> None:
        super().__init__()
        self.lin = nn.ConvTranspose2d(LATENT_CHANNELS, 3, PATCH, PATCH)
        if inverse is not None:
            self.lin.weight.data = inverse.clone()
            self.lin.bias.data.zero_()
        self.dec = Correction(self.channels)

    def forward(self, latents: Tensor) -> Tensor:
        return self.lin(latents) + self.dec(latents)
