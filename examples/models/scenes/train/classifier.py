"""A small classifier of time, ground and land, trained on renders alone: the judge of prompt adherence.

python -m train.classifier --minutes 4 --out classifier.pt     trains, then prints the accuracy on held-out renders
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .grammar import GROUNDS, LANDS, TIMES, Scene, draw_scene
from .renderer import render

ATTRIBUTES = {"time": list(TIMES), "ground": list(GROUNDS), "land": list(LANDS)}
SIDE = 128
"""Pictures are judged at 128x128."""
HELD_OUT_SEED = 10**6


class Classifier(nn.Module):
    """[N, 3, 128, 128] in -1..1 -> the logits of time, ground and land."""

    def __init__(self) -> None:
        super().__init__()
        layers, width = [], 3
        for wide in (24, 48, 96, 128):
            layers += [nn.Conv2d(width, wide, 3, 2, 1), nn.GroupNorm(8, wide), nn.SiLU()]
            width = wide
        # Rows tell ground from sky, so they are kept; columns are averaged.
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d((8, 1)), nn.Flatten())
        self.heads = nn.ModuleDict(
            {name: nn.Linear(8 * width, len(values)) for name, values in ATTRIBUTES.items()}
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.features(images)
        return {name: head(features) for name, head in self.heads.items()}


def to_input(pictures: np.ndarray) -> Tensor:
    """[N, H, W, 3] uint8 -> [N, 3, 128, 128]."""
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return F.interpolate(images, size=(SIDE, SIDE), mode="area")


def targets(scenes: list[Scene]) -> dict[str, Tensor]:
    return {
        name: torch.tensor([values.index(getattr(scene, name)) for scene in scenes])
        for name, values in ATTRIBUTES.items()
    }


def renders(count: int, seed: int, side: int) -> tuple[np.ndarray, list[Scene]]:
    rng = np.random.default_rng(seed)
    scenes = [draw_scene(rng) for _ in range(count)]
    return np.stack([render(scene, side, side) for scene in scenes]), scenes


def judge(model: Classifier, pictures: np.ndarray, scenes: list[Scene]) -> dict[str, np.ndarray]:
    """Per attribute [N]: whether the picture shows what its scene says."""
    with torch.no_grad():
        logits = model(to_input(pictures))
    truth = targets(scenes)
    return {name: (logits[name].argmax(1) == truth[name]).numpy() for name in ATTRIBUTES}


def train(minutes: float, count: int) -> Classifier:
    torch.manual_seed(0)
    pictures, scenes = renders(count, seed=3, side=SIDE)
    truth = targets(scenes)
    model = Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    began = time.time()
    while (share := (time.time() - began) / (60 * minutes)) < 1:
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - share) + 1e-5
        chosen = torch.randint(len(scenes), (64,))
        images = augmented(to_input(pictures[chosen.numpy()]))
        logits = model(images)
        loss = sum(F.cross_entropy(logits[name], truth[name][chosen]) for name in ATTRIBUTES)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def augmented(images: Tensor) -> Tensor:
    """Mirrored, blurred and noisy now and then, as generated pictures are softer than renders."""
    if torch.rand(()) < 0.5:
        images = images.flip(3)
    if torch.rand(()) < 0.5:
        small = F.avg_pool2d(images, 2)
        images = F.interpolate(small, scale_factor=2.0, mode="bilinear")
    return images + 0.05 * torch.rand(()) * torch.randn_like(images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--renders", type=int, default=6000)
    parser.add_argument("--held-out", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("classifier.pt"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = train(args.minutes, args.renders)
    torch.save(model.state_dict(), args.out)
    right = judge(model, *renders(args.held_out, HELD_OUT_SEED, 256))
    print(f"{args.held_out} held-out renders:", shares(right))


def shares(right: dict[str, np.ndarray]) -> str:
    return ", ".join(f"{name} {100 * found.mean():.1f} %" for name, found in right.items())


if __name__ == "__main__":
    main()
