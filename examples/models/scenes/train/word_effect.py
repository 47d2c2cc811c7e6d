"""How much does the denoiser use the word of an attribute, at which times? Held-out renders, the same noise for all.

    python -m train.word_effect --resume . --pictures 48

Per time t and attribute: how much the predicted clean latents change when the prompt names another value (root mean
square, as a share of the change that the noise's seed makes), and how much larger the error of the velocity is then.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .autoencoder import Encoder
from .dataset import to_images
from .grammar import GROUNDS, LANDS, TIMES, Scene, draw_scene, full_prompt
from .networks import load_networks
from .renderer import render
from .text_encoder import token_ids

VALUES = {"time": list(TIMES), "ground": list(GROUNDS), "land": list(LANDS)}
NOISE_SHARES = [0.98, 0.95, 0.9, 0.8, 0.6, 0.4]
HELD_OUT_SEED = 4 * 10**6
BATCH = 8


def with_other(scene: Scene, attribute: str) -> Scene:
    """The same scene with the next value of one attribute."""
    values = VALUES[attribute]
    following = values[(values.index(getattr(scene, attribute)) + 1) % len(values)]
    return replace(scene, **{attribute: following})


def ids_of(scenes: list[Scene]) -> Tensor:
    """[N, 24]; a phrase stays the same where the value does."""
    return torch.tensor([token_ids(full_prompt(s, np.random.default_rng(0))) for s in scenes])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resume", type=Path, required=True, help="checkpoint or model directory")
    parser.add_argument("--pictures", type=int, default=48, help="at 256x256")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    networks, encoder = load_networks(args.resume)[0].eval(), Encoder.load()
    rng = np.random.default_rng(HELD_OUT_SEED)
    scenes = [draw_scene(rng) for _ in range(args.pictures)]
    with torch.no_grad():
        pictures = np.stack([render(scene, 256, 256) for scene in scenes])
        clean = encoder(to_images(pictures))
        noise, other_noise = torch.randn_like(clean), torch.randn_like(clean)
        prompts = {name: ids_of([with_other(s, name) for s in scenes]) for name in VALUES}
        texts = {name: networks.text(ids) for name, ids in prompts.items()}
        asked = networks.text(ids_of(scenes))
        for name, text in texts.items():
            print(f"text, other {name}: changed by {rms(text - asked):.3f} of {rms(asked):.3f}")
        for t in NOISE_SHARES:

            def velocity(text: Tensor, noise: Tensor = noise) -> Tensor:
                noisy = (1 - t) * clean + t * noise
                times = torch.full((len(clean),), 1000 * t)
                parts = zip(noisy.split(BATCH), times.split(BATCH), text.split(BATCH))
                return torch.cat([networks.unet(*part) for part in parts])

            right = velocity(asked)
            error = rms(right - (noise - clean))
            reseeded = (clean_of(right, noise, clean, t), velocity(asked, other_noise))
            seed_change = rms(reseeded[0] - clean_of(reseeded[1], other_noise, clean, t))
            line = [f"t {t}: error {error**2:.4f}"]
            for name, text in texts.items():
                other = velocity(text)
                change = t * rms(other - right) / seed_change
                worse = (rms(other - (noise - clean)) / error) ** 2 - 1
                line.append(f"{name} change {change:.2f}, error {100 * worse:+.1f} %")
            print("; ".join(line), flush=True)


def clean_of(velocity: Tensor, noise: Tensor, clean: Tensor, t: float) -> Tensor:
    """The clean latents that a velocity foretells."""
    return (1 - t) * clean + t * noise - t * velocity


def rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


if __name__ == "__main__":
    main()
