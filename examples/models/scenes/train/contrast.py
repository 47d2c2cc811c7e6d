"""A loss that asks for the land: the same scene and noise with several lands, of which only the word tells.

The velocity of two pictures of a family is split: what they have in common, and how they differ. The error of the second
part is the smaller by far in a plain mean square. Here it counts as a share of the difference, so that mountains with and
without snow, which differ little, weigh as much as a volcano and no land at all. And a frozen classifier of latents has to
see in each guess of the clean picture the land that was asked for.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .grammar import LANDS, Scene, land_captions
from .networks import Networks
from .text_encoder import token_ids

MEMBERS = 2
"""Lands of a scene that are compared at a time."""
LEAST_NOISE = 0.7
WEIGHT = 0.3
"""Of the share of the difference that is not foretold."""
LEAST_DIFFERENCE = 0.01
"""Mean square of velocities; smaller differences count less."""
LAND_SHARES = {
    "snowy": 0.2,
    "mountains": 0.2,
    "hills": 0.2,
    "volcano": 0.1,
    "mesa": 0.2,
    "flat": 0.1,
}
"""How often a land is compared: those that are mistaken for one another more often."""
JUDGE_WEIGHT, MOST_JUDGED_NOISE = 0.005, 0.95
"""Of the classifier's cross-entropy; above that share of noise a guess is too blurred to be judged."""


def draw_lands(count: int, rng: np.random.Generator) -> Tensor:
    """[count, MEMBERS]; for each family the lands to compare."""
    shares = [LAND_SHARES[land] for land in LANDS]
    drawn = [rng.choice(len(LANDS), MEMBERS, replace=False, p=shares) for _ in range(count)]
    return torch.from_numpy(np.stack(drawn))


def family_prompts(scenes: list[Scene], lands: Tensor, rng: np.random.Generator) -> Tensor:
    """Per scene, captions of the `lands` [F, MEMBERS] -> [F * MEMBERS, 24] token ids."""
    said = []
    for scene, chosen in zip(scenes, lands.tolist()):
        captions = land_captions(scene, rng)
        said += [token_ids(captions[land]) for land in chosen]
    return torch.tensor(said)


def contrast_loss(
    networks: Networks,
    judge: nn.Module,
    latents: Tensor,
    lands: Tensor,
    ids: Tensor,
    shift: float,
) -> tuple[Tensor, float, float]:
    """Loss; how much of the difference is foretold, 0 where words do nothing, at best 1; the judge's cross-entropy.

    @param latents [F, MEMBERS, 8, h, w]
    @param lands [F, MEMBERS]
    @param ids [F * MEMBERS, 24]
    """
    n, members = latents.shape[:2]
    even = ((torch.randperm(n) + torch.rand(n)) / n).clamp(1e-3, 1 - 1e-4)
    times = shift * even / (1 + (shift - 1) * even)
    times = LEAST_NOISE + (1 - LEAST_NOISE) * times
    t = times[:, None, None, None, None]
    # All members get the same noisy latent, which hints at none of them: the noise takes up the rest.
    noisy = (1 - t[:, 0]) * latents.mean(1) + t[:, 0] * torch.randn_like(latents[:, 0])
    target = (noisy[:, None] - latents) / t
    same = noisy[:, None].expand_as(latents).flatten(0, 1)
    same = same.contiguous(memory_format=torch.channels_last)
    velocity = networks.unet(same, times.repeat_interleave(members) * 1000, networks.text(ids))
    velocity = velocity.float().view_as(target)
    error = velocity - target
    common = error.mean(1, keepdim=True)
    apart = (error - common).square().mean((1, 2, 3, 4))
    known = (target - target.mean(1, keepdim=True)).square().mean((1, 2, 3, 4))
    missed = (apart / (known + LEAST_DIFFERENCE)).mean()
    guess = (noisy[:, None] - t * velocity).flatten(0, 1)
    seen = F.cross_entropy(judge(guess)["land"], lands.flatten(), reduction="none")
    unseen = (seen * (times < MOST_JUDGED_NOISE).repeat_interleave(members)).mean()
    loss = common.square().mean() + WEIGHT * missed + JUDGE_WEIGHT * unseen
    return loss, 1 - missed.item(), seen.mean().item()
