"""Trains denoiser and text encoder on the latents of renders; can be cut off and resumed.

    python -m train.train_denoiser --data data --resume . --minutes 66 --out scenes.pt
    python -m train.train_denoiser --data data --resume scenes.pt --minutes 66 --out scenes.pt

The checkpoint holds the averaged weights, which are what is exported, and beside them the raw weights, the optimizer
and the step. It is written every two minutes. With --families and --judge, every other step is one of the loss that asks
for the land (`contrast`), and those pictures join the others in the rest.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .autoencoder import Encoder
from .contrast import MEMBERS, contrast_loss, draw_lands, family_prompts
from .dataset import load_latents
from .denoiser import DenoiserShape
from .flow import BATCH, SHIFT, draw_size, flow_loss, prompts
from .grammar import LANDS, Scene
from .latent_classifier import load_latent_classifier
from .networks import Networks, load_networks

RATE_POINTS = [(0, 1.0), (0.5, 0.9), (0.8, 0.45), (1, 0.02)]
"""Share of the training, share of the learning rate."""
AVERAGE_EVERY = 8
AVERAGE_DECAY = 0.98
SAVE_SECONDS = 120
WORD_RATE = 3.0
"""The learning rate of the text encoder and of the attention to the text, as a multiple of the rest's."""
CONTRAST_SHARE = 0.3
"""Share of the steps that ask for the land."""


class Training:
    """Networks, their running average, the optimizer and the step."""

    def __init__(self, networks: Networks, saved: dict, rate: float) -> None:
        self.networks = networks.to(memory_format=torch.channels_last)
        self.averaged = {k: v.clone() for k, v in networks.state_dict().items()}
        self.trained = [*networks.unet.parameters(), *networks.text.parameters()]
        named = list(networks.unet.named_parameters())
        words = [p for name, p in named if "attn2" in name] + [*networks.text.parameters()]
        rest = [p for name, p in named if "attn2" not in name]
        self.optimizer = torch.optim.AdamW(
            [{"params": rest}, {"params": words}],
            lr=rate,
            betas=(0.9, 0.985),
            weight_decay=0.01,
            fused=True,
        )
        self.step = saved.get("step", 0)
        if "raw" in saved:
            networks.load_state_dict(saved["raw"])
            self.optimizer.load_state_dict(saved["optimizer"])

    def advance(self, loss: torch.Tensor, rate: float) -> None:
        for group, multiple in zip(self.optimizer.param_groups, (1.0, WORD_RATE)):
            group["lr"] = rate * multiple
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.step += 1
        if self.step % AVERAGE_EVERY == 0:
            decay = min(AVERAGE_DECAY, 1 - AVERAGE_EVERY / (self.step / 3 + AVERAGE_EVERY))
            for name, value in self.networks.state_dict().items():
                self.averaged[name].lerp_(value, 1 - decay)

    def save(self, path: Path) -> None:
        raw = {name: value.clone() for name, value in self.networks.state_dict().items()}
        self.networks.load_state_dict(self.averaged)
        more = {"raw": raw, "optimizer": self.optimizer.state_dict(), "step": self.step}
        self.networks.save(path, **more)
        self.networks.load_state_dict(raw)


Sets = dict[str, tuple[torch.Tensor, list[Scene]]]


def picture_loss(networks: Networks, data: Sets, size: str, rng: np.random.Generator):
    latents, scenes = data[size]
    chosen = rng.integers(len(latents), size=BATCH[size])
    mirrored = torch.from_numpy(rng.integers(2, size=len(chosen)))
    batch = latents[torch.from_numpy(chosen), mirrored].float()
    return flow_loss(networks, batch, prompts([scenes[i] for i in chosen], rng), SHIFT[size])


def land_loss(
    networks: Networks, judge: nn.Module, families: Sets, size: str, rng: np.random.Generator
):
    """Of some of the lands of some families; see contrast_loss."""
    latents, scenes = families[size]
    count = max(1, round(BATCH[size] / MEMBERS))
    chosen = rng.integers(len(latents) // len(LANDS), size=count) * len(LANDS)
    lands = draw_lands(count, rng)
    mirrored = torch.from_numpy(rng.integers(2, size=(count, 1)))
    batch = latents[torch.from_numpy(chosen)[:, None] + lands, mirrored].float()
    ids = family_prompts([scenes[i] for i in chosen], lands, rng)
    return contrast_loss(networks, judge, batch, lands, ids, SHIFT[size])


def train(
    training: Training, data: Sets, families: Sets, judge: nn.Module, args: argparse.Namespace
) -> None:
    rng = np.random.default_rng()
    losses = defaultdict(list)
    began = saved = time.time()
    first = training.step
    while (share := (time.time() - began) / (60 * args.minutes)) < 1:
        warm = min(1, (training.step - first + 1) / 80)
        rate = args.rate * warm * float(np.interp(share, *zip(*RATE_POINTS)))
        asks_land = bool(families) and rng.random() < CONTRAST_SHARE
        pool = families if asks_land else data
        size = draw_size(share, [size for size in BATCH if size in pool], rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            if asks_land:
                loss, foretold, unseen = land_loss(training.networks, judge, families, size, rng)
                losses[f"foretold {size}"].append(foretold)
                losses[f"unseen {size}"].append(unseen)
            else:
                loss = picture_loss(training.networks, data, size, rng)
                losses[size].append(loss.item())
        training.advance(loss, rate)
        if training.step % args.print_every == 0:
            means = " ".join(f"{k} {np.mean(v[-100:]):.4f}" for k, v in sorted(losses.items()))
            print(f"step {training.step}, {time.time() - began:.0f} s, loss {means}", flush=True)
        if time.time() - saved > SAVE_SECONDS:
            training.save(args.out)
            saved = time.time()
    training.save(args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--families", type=Path, help="folder of renders with all six lands")
    parser.add_argument("--judge", type=Path, help="the classifier of latents; with --families")
    parser.add_argument(
        "--resume", type=Path, help="checkpoint or model directory; none: from nothing"
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--bf16", action="store_true", help="faster where the CPU has it")
    parser.add_argument("--print-every", type=int, default=100, help="steps")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    encoder = Encoder.load()
    networks, saved = (
        load_networks(args.resume) if args.resume else (Networks(DenoiserShape(), encoder), {})
    )
    data = load_latents(args.data, encoder)
    families = load_latents(args.families, encoder) if args.families else {}
    for size, (latents, scenes) in families.items():
        known = data.get(size, (latents[:0], []))
        data[size] = torch.cat([known[0], latents]), known[1] + scenes
    judge = load_latent_classifier(args.judge) if args.families else nn.Identity()
    train(Training(networks, saved, args.rate), data, families, judge, args)


if __name__ == "__main__":
    main()
