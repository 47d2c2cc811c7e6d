"""Rectified flow: what the denoiser is asked, how wrong its answer is, and on which sizes it is asked."""

import numpy as np
import torch
from torch import Tensor

from .grammar import Scene, caption
from .networks import Networks
from .text_encoder import token_ids

# Per image size: pictures in a batch, and the shift of times towards noise. Smooth pictures show their colours and
# their layout in very strong noise, the more so the larger they are: times near 1 matter most.
BATCH = {
    "128x128": 16,
    "256x256": 8,
    "384x192": 8,
    "256x384": 6,
    "512x256": 6,
    "512x512": 4,
    "1024x512": 2,
}
SHIFT = {
    "128x128": 3.0,
    "256x256": 5.0,
    "384x192": 5.0,
    "256x384": 5.5,
    "512x256": 6.5,
    "512x512": 8.0,
    "1024x512": 9.0,
}
# Until this share of the training, these shares of steps per size.
STAGES = [
    (0.4, {"128x128": 0.45, "256x256": 0.4, "384x192": 0.05, "256x384": 0.05, "512x256": 0.05}),
    (
        0.75,
        {
            "128x128": 0.2,
            "256x256": 0.4,
            "384x192": 0.05,
            "256x384": 0.05,
            "512x256": 0.08,
            "512x512": 0.17,
            "1024x512": 0.05,
        },
    ),
    (
        1.0,
        {
            "128x128": 0.04,
            "256x256": 0.38,
            "384x192": 0.05,
            "256x384": 0.05,
            "512x256": 0.08,
            "512x512": 0.28,
            "1024x512": 0.12,
        },
    ),
]
UNPROMPTED = 0.1
"""Share of pictures without a prompt, for guidance."""


def draw_size(share: float, known: list[str], rng: np.random.Generator) -> str:
    """@param share Of the training that is done, 0..1."""
    stage = next((sizes for until, sizes in STAGES if share < until), STAGES[-1][1])
    sizes = [size for size in stage if size in known] or known
    weights = np.array([stage.get(size, 1.0) for size in sizes])
    return sizes[rng.choice(len(sizes), p=weights / weights.sum())]


def prompts(scenes: list[Scene], rng: np.random.Generator) -> Tensor:
    """[N, 24] token ids."""
    said = ["" if rng.random() < UNPROMPTED else caption(scene, rng) for scene in scenes]
    return torch.tensor([token_ids(prompt) for prompt in said])


def flow_loss(networks: Networks, latents: Tensor, ids: Tensor, shift: float) -> Tensor:
    """Mean square error of the velocity, at one time in 0..1 per picture, spread evenly over the batch."""
    n = len(latents)
    even = ((torch.randperm(n) + torch.rand(n)) / n).clamp(1e-3, 1 - 1e-4)
    times = shift * even / (1 + (shift - 1) * even)
    t, noise = times[:, None, None, None], torch.randn_like(latents)
    noisy = ((1 - t) * latents + t * noise).contiguous(memory_format=torch.channels_last)
    velocity = networks.unet(noisy, times * 1000, networks.text(ids))
    return (velocity.float() - (noise - latents)).square().mean()
