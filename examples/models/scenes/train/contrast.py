"""A loss that asks for the land: the same scene and noise with several lands, of which only the word tells.

The velocity of a family of pictures is split in two: what its members have in common, and how they differ. The error of
the second part is the smaller by far in a plain mean square, and here it weighs more.
"""

import numpy as np
import torch
from torch import Tensor

from .grammar import Scene, land_captions
from .networks import Networks
from .text_encoder import token_ids

MEMBERS = 3
"""Lands of a scene that are compared at a time."""
EARLIEST, WEIGHT = 0.6, 5.0
"""Least share of noise; weight of the difference."""


def family_prompts(scenes: list[Scene], lands: Tensor, rng: np.random.Generator) -> Tensor:
    """Per scene, captions of the `lands` [F, MEMBERS] -> [F * MEMBERS, 24] token ids."""
    said = []
    for scene, chosen in zip(scenes, lands.tolist()):
        captions = land_captions(scene, rng)
        said += [token_ids(captions[land]) for land in chosen]
    return torch.tensor(said)


def contrast_loss(
    networks: Networks, latents: Tensor, ids: Tensor, shift: float
) -> tuple[Tensor, float]:
    """Also returns how much of the difference is foretold: 0 where the words do nothing, at best 1.

    @param latents [F, MEMBERS, 8, h, w]
    @param ids [F * MEMBERS, 24]
    """
    n, members = latents.shape[:2]
    even = ((torch.randperm(n) + torch.rand(n)) / n).clamp(1e-3, 1 - 1e-4)
    times = shift * even / (1 + (shift - 1) * even)
    times = EARLIEST + (1 - EARLIEST) * times
    t = times[:, None, None, None, None]
    # All members get the same noisy latent, which hints at none of them: the noise takes up the rest.
    noisy = (1 - t[:, 0]) * latents.mean(1) + t[:, 0] * torch.randn_like(latents[:, 0])
    target = (noisy[:, None] - latents) / t
    same = noisy[:, None].expand_as(latents).flatten(0, 1)
    same = same.contiguous(memory_format=torch.channels_last)
    velocity = networks.unet(same, times.repeat_interleave(members) * 1000, networks.text(ids))
    error = velocity.float().view_as(target) - target
    common = error.mean(1, keepdim=True)
    apart = (error - common).square().mean()
    known = (target - target.mean(1, keepdim=True)).square().mean()
    return common.square().mean() + WEIGHT * apart, 1 - (apart / known).item()
