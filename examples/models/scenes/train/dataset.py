"""Renders of random scenes in a folder, and the latents and scenes that the denoiser learns from.

    python -m train.dataset --out data --sets 256x256:4000 512x512:400 --seed 7

A shard is WIDTHxHEIGHT_SEED.npy, [n, H, W, 3] uint8, with its scenes in a .json of the same name. With --families, six
in a row are the same scene with each of the six lands.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import asdict
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .autoencoder import Encoder
from .grammar import Scene, draw_scene
from .renderer import render, render_family


def write_shard(job: tuple[Path, int, int, int, int, bool]) -> str:
    folder, width, height, count, seed, families = job
    rng = np.random.default_rng(seed)
    pictures, scenes = [], []
    while len(scenes) < count:
        scene = draw_scene(rng)
        if families:
            more = render_family(scene, width, height)
        else:
            more = [render(scene, width, height)], [scene]
        pictures, scenes = pictures + more[0], scenes + more[1]
    path = folder / f"{width}x{height}_{seed}.npy"
    np.save(path, np.stack(pictures))
    path.with_suffix(".json").write_text(json.dumps([asdict(scene) for scene in scenes]))
    return f"{path.name}: {count}"


def to_images(pictures: np.ndarray) -> Tensor:
    """[N, H, W, 3] uint8 -> [N, 3, H, W] in -1..1."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def load_latents(folder: Path, encoder: Encoder) -> dict[str, tuple[Tensor, list[Scene]]]:
    """Size -> latents [N, 2 (plain, mirrored), 8, h, w] fp16, scenes; 128x128 is made of 256x256."""
    latents, scenes = defaultdict(list), defaultdict(list)

    def add(size: str, images: Tensor) -> None:
        both = [encoder(images), encoder(images.flip(3))]
        latents[size].append(torch.stack(both, 1).half())

    for path in sorted(folder.glob("*.npy")):
        size = path.name.split("_")[0]
        found = [Scene(**scene) for scene in json.loads(path.with_suffix(".json").read_text())]
        scenes[size] += found
        if size == "256x256":
            scenes["128x128"] += found
        for part in np.array_split(np.load(path, mmap_mode="r"), max(1, len(found) // 50)):
            images = to_images(part)
            add(size, images)
            if size == "256x256":
                add("128x128", F.avg_pool2d(images, 2))
    return {size: (torch.cat(parts), scenes[size]) for size, parts in latents.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data"))
    parser.add_argument("--sets", nargs="+", required=True, help="WIDTHxHEIGHT:COUNT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard", type=int, default=200, help="pictures per file")
    parser.add_argument("--families", action="store_true", help="every scene with all six lands")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    jobs = []
    for entry in args.sets:
        size, count = entry.split(":")
        width, height = map(int, size.split("x"))
        for start in range(0, int(count), args.shard):
            rest = min(args.shard, int(count) - start)
            seed = args.seed * 100_000 + len(jobs)
            jobs.append((args.out, width, height, rest, seed, args.families))
    with Pool(args.workers) as pool:
        for line in pool.imap_unordered(write_shard, jobs):
            print(line, flush=True)


if __name__ == "__main__":
    main()
