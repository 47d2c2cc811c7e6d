"""Validation loss on held-out renders, the same noise and times for every model.

python -m train.validation --resume . --pictures 200
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from .autoencoder import Encoder
from .dataset import to_images
from .flow import SHIFT, flow_loss, prompts
from .grammar import draw_scene
from .networks import load_networks
from .renderer import render

HELD_OUT_SEED = 3 * 10**6
BATCH = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resume", type=Path, required=True, help="checkpoint or model directory")
    parser.add_argument(
        "--pictures", type=int, default=200, help="at 256x256; a quarter at 512x512"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    networks = load_networks(args.resume)[0].eval()
    encoder = Encoder.load()
    for side, count in ((256, args.pictures), (512, args.pictures // 4)):
        size = f"{side}x{side}"
        rng = np.random.default_rng(HELD_OUT_SEED)
        torch.manual_seed(0)
        losses = []
        for _ in range(count // BATCH):
            scenes = [draw_scene(rng) for _ in range(BATCH)]
            pictures = np.stack([render(scene, side, side) for scene in scenes])
            with torch.no_grad():
                latents = encoder(to_images(pictures))
                losses.append(
                    flow_loss(networks, latents, prompts(scenes, rng), SHIFT[size]).item()
                )
        print(f"{size}: validation loss {np.mean(losses):.4f}", flush=True)


if __name__ == "__main__":
    main()
