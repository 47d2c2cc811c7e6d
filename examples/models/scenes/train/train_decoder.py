"""Trains the decoder on crops of renders.

python -m train.train_decoder --data data --resume . --minutes 5 --out scenes.pt
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .autoencoder import Encoder
from .dataset import to_images
from .denoiser import DenoiserShape
from .networks import Networks, load_networks

CROP = 96
BATCH = 8
RATE = 1e-3
AVERAGED_STEPS = 25
NOISE = 0.08
"""Added to latents: the decoder has to forgive the denoiser's small errors."""


def crops(shards: list[np.ndarray], rng: np.random.Generator) -> Tensor:
    """[8, 3, 96, 96] in -1..1, every other one mirrored."""
    found = []
    for _ in range(BATCH):
        shard = shards[rng.integers(len(shards))]
        y, x = (rng.integers(side - CROP + 1) for side in shard.shape[1:3])
        crop = shard[rng.integers(len(shard)), y : y + CROP, x : x + CROP]
        found.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return to_images(np.stack(found))


def reconstruction_loss(error: Tensor) -> Tensor:
    """Of pixels, of their differences (sharp edges), of 4x4 means (true colours)."""
    across = (error[..., 1:] - error[..., :-1]).abs().mean()
    down = (error[:, :, 1:] - error[:, :, :-1]).abs().mean()
    return error.abs().mean() + 0.7 * (across + down) + 0.5 * F.avg_pool2d(error, 4).abs().mean()


def train(networks: Networks, encoder: Encoder, folder: Path, minutes: float) -> None:
    shards = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))]
    rng = np.random.default_rng()
    decoder = networks.decoder.train()
    averaged = {name: value.clone() for name, value in decoder.state_dict().items()}
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0)
    began, step, quality = time.time(), 0, []
    while (share := (time.time() - began) / (60 * minutes)) < 1:
        warm = min(1, (step + 1) / 40)
        rate = RATE * warm * 0.5 * (1 + math.cos(math.pi * share)) + 2e-5
        optimizer.param_groups[0]["lr"] = rate
        images = crops(shards, rng)
        latents = encoder(images)
        amount = NOISE * torch.rand(BATCH, 1, 1, 1) ** 1.5
        error = decoder(latents + torch.randn_like(latents) * amount) - images
        optimizer.zero_grad()
        reconstruction_loss(error).backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()
        step += 1
        quality.append(10 * math.log10(4 / error.detach().square().mean().item()))
        for name, value in decoder.state_dict().items():
            averaged[name].lerp_(value, max(1 / AVERAGED_STEPS, 1 / step))
        if step % 100 == 0:
            print(f"step {step}: PSNR {np.mean(quality[-100:]):.2f} dB", flush=True)
    decoder.load_state_dict(averaged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument(
        "--resume", type=Path, help="checkpoint or model directory; none: from nothing"
    )
    parser.add_argument("--encoder", type=Path, help="encoder to fit and write; only from nothing")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    encoder = Encoder.load()
    if args.encoder:
        files = sorted(args.data.glob("256x256_*.npy"))[:8]
        encoder = Encoder.fit([np.load(path, mmap_mode="r")[:100] for path in files])
        encoder.save(args.encoder)
    networks = load_networks(args.resume)[0] if args.resume else Networks(DenoiserShape(), encoder)
    train(networks, encoder, args.data, args.minutes)
    networks.save(args.out)


if __name__ == "__main__":
    main()
