"""The denoiser: a UNet in the manner of diffusers' UNet2DConditionModel, with its preconditioning inside."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Attention
from .upsampling import Upsample

LATENT_CHANNELS = 8
LATENT_STD = (0.91, 0.69, 0.48, 0.31, 0.25, 0.20, 0.18, 0.19)
"""Standard deviation of each channel of the latents; part of the preconditioning, so never to be changed."""
TIME_FEATURES = 64
TIME_WIDTH = 256
NORM_GROUPS = 16


@dataclass(frozen=True)
class DenoiserShape:
    """Per level from fine to coarse: channels, and whether it has attention."""

    channels: tuple[int, ...] = (48, 64, 128, 192)
    attention: tuple[bool, ...] = (False, False, True, True)
    blocks: int = 1
    text_width: int = 128


def time_features(timestep: Tensor) -> Tensor:
    """[N] in 0..1000 -> [N, 64], cosines first."""
    half = TIME_FEATURES // 2
    steps = torch.arange(half, device=timestep.device, dtype=torch.float32)
    angles = timestep.float()[:, None] * torch.exp(-math.log(10000) * steps / half)[None]
    return torch.cat([torch.cos(angles), torch.sin(angles)], -1)


class ResidualBlock(nn.Module):
    """x [N, C, h, w], time [N, 256] -> [N, C', h, w]."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(NORM_GROUPS, channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(TIME_WIDTH, channels)
        self.norm2 = nn.GroupNorm(NORM_GROUPS, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        same = channels_in == channels
        self.conv_shortcut = None if same else nn.Conv2d(channels_in, channels, 1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(F.silu(time))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return (x if self.conv_shortcut is None else self.conv_shortcut(x)) + h


class TransformerBlock(nn.Module):
    """Attention to itself, to the text, and a feed-forward part. [N, T, C] -> [N, T, C]."""

    def __init__(self, width: int, text_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, text_width)
        self.norm3 = nn.LayerNorm(width)
        self.ff1 = nn.Linear(width, width * 4)
        self.ff2 = nn.Linear(width * 4, width)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), text)
        return x + self.ff2(F.gelu(self.ff1(self.norm3(x))))


class SpatialTransformer(nn.Module):
    """A transformer block over the pixels of a feature map. [N, C, h, w] -> [N, C, h, w]."""

    def __init__(self, width: int, text_width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(NORM_GROUPS, width, eps=1e-6)
        self.proj_in = nn.Linear(width, width)
        self.block = TransformerBlock(width, text_width)
        self.proj_out = nn.Linear(width, width)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        n, c, h, w = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        tokens = self.proj_out(self.block(self.proj_in(tokens), text))
        return x + tokens.transpose(1, 2).reshape(n, c, h, w)


class Downsample(nn.Module):
    """[N, C, h, w] -> [N, C, h/2, w/2]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Denoiser(nn.Module):
    """sample [N, 8, h, w], timestep [N] in 0..1000, text [N, L, 128] -> velocity [N, 8, h, w].

    The velocity is noise - image. Each entry of `down` and `up` is a residual block with a transformer or nothing,
    or alone a change of size.
    """

    def __init__(self, shape: DenoiserShape) -> None:
        super().__init__()
        channels, z = shape.channels, LATENT_CHANNELS
        self.time_embedding = nn.Sequential(
            nn.Linear(TIME_FEATURES, TIME_WIDTH), nn.SiLU(), nn.Linear(TIME_WIDTH, TIME_WIDTH)
        )
        self.conv_in = nn.Conv2d(z, channels[0], 3, padding=1)
        self.down = nn.ModuleList()
        skips, width = [channels[0]], channels[0]

        def stage(channels_in: int, level: int) -> nn.ModuleList:
            wide = channels[level]
            transformer = SpatialTransformer(wide, shape.text_width)
            attends = transformer if shape.attention[level] else nn.Identity()
            return nn.ModuleList([ResidualBlock(channels_in, wide), attends])

        for level, wide in enumerate(channels):
            for _ in range(shape.blocks):
                self.down.append(stage(width, level))
                width = wide
                skips.append(wide)
            if level < len(channels) - 1:
                self.down.append(nn.ModuleList([Downsample(wide)]))
                skips.append(wide)
        self.mid1 = ResidualBlock(width, width)
        self.mida = SpatialTransformer(width, shape.text_width)
        self.mid2 = ResidualBlock(width, width)
        self.up = nn.ModuleList()
        for level, wide in reversed(list(enumerate(channels))):
            for _ in range(shape.blocks + 1):
                self.up.append(stage(width + skips.pop(), level))
                width = wide
            if level > 0:
                self.up.append(nn.ModuleList([Upsample(wide, wide)]))
        self.conv_norm_out = nn.GroupNorm(NORM_GROUPS, width)
        self.conv_out = nn.Conv2d(width, z, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)
        self.register_buffer("var", torch.tensor(LATENT_STD).square())

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        text = encoder_hidden_states
        time = self.time_embedding(time_features(timestep))
        h = self.conv_in(sample)
        skips = [h]
        for stage in self.down:
            h = stage[0](h) if len(stage) == 1 else _through(stage, h, time, text)
            skips.append(h)
        h = self.mid2(self.mida(self.mid1(h, time), text), time)
        for stage in self.up:
            if len(stage) == 1:
                h = stage[0](h)
            else:
                h = _through(stage, torch.cat([h, skips.pop()], 1), time, text)
        out = self.conv_out(F.silu(self.conv_norm_out(h)))
        return self._velocity(sample, timestep, out)

    def _velocity(self, sample: Tensor, timestep: Tensor, out: Tensor) -> Tensor:
        """The best linear guess of the velocity from the noisy sample, and `out` scaled to that guess's error.

        So the network need not learn to let the noise through.
        """
        t = timestep.float()[:, None] * 0.001
        power = (1 - t) ** 2 * self.var + t * t
        guess = ((t - (1 - t) * self.var) / power)[:, :, None, None] * sample
        return guess + (self.var / power).sqrt()[:, :, None, None] * out


def _through(stage: nn.ModuleList, h: Tensor, time: Tensor, text: Tensor) -> Tensor:
    h = stage[0](h, time)
    return stage[1](h, text) if isinstance(stage[1], SpatialTransformer) else h
