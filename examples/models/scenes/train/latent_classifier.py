"""A small classifier of clean latents, of training's own: tells the denoiser whether its guess shows what was asked for.

    python -m train.latent_classifier --families families --minutes 2 --out latent-classifier.pt

It is never the judge: that is `classifier`, trained on pixels of other renders.
"""

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .autoencoder import Encoder
from .classifier import ATTRIBUTES, targets
from .dataset import load_latents
from .denoiser import LATENT_CHANNELS, LATENT_STD
from .grammar import Scene

SIZES = ["128x128", "256x256"]
HELD_OUT = 600
BATCH = 32


class LatentClassifier(nn.Module):
    """[N, 8, h, w] -> the logits of time, ground and land, at any size."""

    def __init__(self) -> None:
        super().__init__()
        layers, width = [], LATENT_CHANNELS + 1
        for wide, stride in ((48, 1), (64, 2), (96, 2), (96, 1)):
            layers += [nn.Conv2d(width, wide, 3, stride, 1), nn.SiLU()]
            width = wide
        self.features = nn.Sequential(*layers)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(2 * width, len(values)) for name, values in ATTRIBUTES.items()}
        )

    def forward(self, latents: Tensor) -> dict[str, Tensor]:
        n, _, h, w = latents.shape
        scaled = latents / latents.new_tensor(LATENT_STD)[:, None, None]
        rows = torch.linspace(-1, 1, h, dtype=latents.dtype).view(1, 1, h, 1).expand(n, 1, h, w)
        found = self.features(torch.cat([scaled, rows], 1)).flatten(2)
        pooled = torch.cat([found.mean(2), found.amax(2)], 1)
        return {name: head(pooled) for name, head in self.heads.items()}


def augmented(latents: Tensor) -> Tensor:
    """Blurred and noisy, as guesses of a denoiser are."""
    h, w = latents.shape[2:]
    if torch.rand(()) < 0.6:
        smaller = F.interpolate(
            latents, scale_factor=float(torch.rand(()) * 0.7 + 0.25), mode="area"
        )
        latents = F.interpolate(smaller, size=(h, w), mode="bilinear")
    return latents + 0.15 * torch.rand(()) * torch.randn_like(latents)


def train(data: dict[str, tuple[Tensor, list[Scene]]], minutes: float) -> LatentClassifier:
    model = LatentClassifier()
    truth = {size: targets(data[size][1]) for size in SIZES}
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    began, step = time.time(), 0
    while (share := (time.time() - began) / (60 * minutes)) < 1:
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - share) + 1e-5
        size = SIZES[step % len(SIZES)]
        latents = data[size][0]
        chosen = torch.randint(len(latents) - HELD_OUT, (BATCH,))
        batch = latents[chosen, torch.randint(2, (BATCH,))].float()
        logits = model(augmented(batch))
        loss = sum(F.cross_entropy(logits[k], truth[size][k][chosen]) for k in ATTRIBUTES)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    return model.eval()


def load_latent_classifier(path: Path) -> LatentClassifier:
    """Frozen."""
    model = LatentClassifier().eval().requires_grad_(False)
    model.load_state_dict(torch.load(path))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", type=Path, default=Path("families"))
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--out", type=Path, default=Path("latent-classifier.pt"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = load_latents(args.families, Encoder.load())
    model = train(data, args.minutes)
    torch.save(model.state_dict(), args.out)
    for size, (latents, scenes) in data.items():
        count = min(HELD_OUT, len(scenes))
        with torch.no_grad():
            logits = model(latents[-count:, 0].float())
        truth = targets(scenes[-count:])
        right = {k: (logits[k].argmax(1) == truth[k]).float().mean().item() for k in ATTRIBUTES}
        print(size, ", ".join(f"{name} {100 * share:.1f} %" for name, share in right.items()))


if __name__ == "__main__":
    main()
