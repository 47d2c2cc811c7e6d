"""The same prompt and seed from `patchbay generate` and from Python: how far apart are the pictures?

    python -m train.compare_pictures --patchbay "node ../../../dist/pcpp/cli/main.js"

Prints the relative difference |a - b| / |b| (2-norm over all pixels) and the largest difference in levels of 255.
"""

import argparse
import shlex
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from .pipeline import MODEL, Pipeline
from .sheet import PROMPTS

LIMIT = 1e-3


def patchbay_picture(command: str, prompt: str, model: Path, size: str, seed: int, steps: int):
    """[H, W, 3] float32 levels."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "picture.png"
        options = ["--mode", "single", "--size", size, "--seed", str(seed), "--steps", str(steps)]
        files = ["--model", str(model.resolve()), "--output", str(out)]
        run = [*shlex.split(command), "generate", prompt, *options, "--guidance", "2", *files]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
        return np.asarray(Image.open(out).convert("RGB"), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patchbay", default="patchbay", help="the command")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--steps", type=int, default=24)
    args = parser.parse_args()
    pipeline = Pipeline(args.model)
    worst = 0.0
    for seed, (prompt, size) in enumerate(zip(PROMPTS, ("256x256", "384x192", "512x512"))):
        width, height = map(int, size.split("x"))
        theirs = patchbay_picture(args.patchbay, prompt, args.model, size, seed, args.steps)
        ours = pipeline(prompt, width, height, steps=args.steps, seed=seed).astype(np.float32)
        relative = np.linalg.norm(theirs - ours) / np.linalg.norm(ours)
        worst = max(worst, relative)
        levels = int(np.abs(theirs - ours).max())
        print(f"{size}, seed {seed}: relative {relative:.1e}, at most {levels} of 255", flush=True)
    if worst > LIMIT:
        raise SystemExit(f"not the same picture: {worst:.1e} > {LIMIT:.0e}")


if __name__ == "__main__":
    main()
