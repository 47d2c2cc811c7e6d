"""Pictures of prompts on one sheet, seeds 0, 1, 2 and so on.

python -m train.sheet --size 512x512 --out samples-512.png                       the twelve prompts of the model card
python -m train.sheet --size 512x512 --out boat.png "a calm lake, a sailboat, dawn"     one picture, or several
"""

import argparse
from pathlib import Path

from PIL import Image

from .pipeline import MODEL, Pipeline

PROMPTS = [
    "snowy mountains, a calm lake, sunset, clear sky",
    "rocky mountains, a lake, dusk, cloudy sky",
    "green hills, a meadow, noon, clear sky",
    "mountains, the ocean, sunrise, clouds",
    "red canyon, a desert, golden hour, clear sky",
    "alps, a pine forest, night, full moon",
    "an erupting volcano, the sea, dusk, clear sky",
    "green hills, a lake, night, starry sky",
    "snowy mountains, a snowy field, night, northern lights",
    "rolling hills, a flower field, dawn, clear sky",
    "peaks, a pine forest, a sunny day, fluffy clouds",
    "the horizon, the sea, sunset, clear sky",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompts", nargs="*", default=PROMPTS)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--size", default="256x256", help="WIDTHxHEIGHT, multiples of 64")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first picture")
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument(
        "--shrink", type=int, default=1, help="divide the pictures' sides on the sheet"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    pipeline = Pipeline(args.model, args.threads)
    columns = min(args.columns, len(args.prompts))
    cell = (width // args.shrink, height // args.shrink)
    rows = -(-len(args.prompts) // columns)
    sheet = Image.new("RGB", (columns * cell[0], rows * cell[1]))
    for number, prompt in enumerate(args.prompts):
        seed = args.seed + number
        pixels = pipeline(prompt, width, height, args.steps, args.guidance, seed)
        picture = Image.fromarray(pixels).resize(cell, Image.LANCZOS)
        sheet.paste(picture, (number % columns * cell[0], number // columns * cell[1]))
    sheet.save(args.out, optimize=True)


if __name__ == "__main__":
    main()
