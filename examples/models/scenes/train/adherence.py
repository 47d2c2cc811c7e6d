"""Prompt adherence over held-out prompts: does the classifier see in the picture what the prompt asked for?

    python -m train.adherence --classifier classifier.pt --model .

Each prompt names land, ground, time and sky of a scene; the same scenes as renders give the classifier's own accuracy.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from .classifier import Classifier, judge, shares
from .grammar import draw_scene, full_prompt
from .pipeline import MODEL, Pipeline
from .renderer import render

PROMPT_SEED = 2 * 10**6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classifier", type=Path, default=Path("classifier.pt"))
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(PROMPT_SEED)
    scenes = [draw_scene(rng) for _ in range(args.prompts)]
    prompts = [full_prompt(scene, rng) for scene in scenes]
    model = Classifier().eval()
    model.load_state_dict(torch.load(args.classifier))
    drawn = np.stack([render(scene, 256, 256) for scene in scenes])
    print("renders:  ", shares(judge(model, drawn, scenes)), flush=True)
    pipeline = Pipeline(args.model, args.threads)
    made = np.stack(
        [
            pipeline(prompt, steps=args.steps, guidance=args.guidance, seed=seed)
            for seed, prompt in enumerate(prompts)
        ]
    )
    print("generated:", shares(judge(model, made, scenes)))


if __name__ == "__main__":
    main()
