"""Prompt -> picture with ONNX Runtime, numpy and tokenizers alone; what sampling means, in the fewest lines."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from .latent_noise import first_latent

MODEL = Path(__file__).parent.parent
PATCH = 8


def sigmas(steps: int, shift: float, train_steps: int = 1000) -> np.ndarray:
    """[steps + 1], from 1 down to 0, as diffusers' FlowMatchEulerDiscreteScheduler has them."""

    def shifted(x):
        return shift * x / (1 + (shift - 1) * x)

    return np.append(shifted(np.linspace(1.0, shifted(1 / train_steps), steps)), 0.0)


class Pipeline:
    """The model in a directory."""

    def __init__(self, root: Path = MODEL, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads

        def session(part: str) -> onnxruntime.InferenceSession:
            path = str(root / part / "model.onnx")
            return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])

        self.text, self.unet, self.decoder = map(session, ("text_encoder", "unet", "vae_decoder"))
        self.tokenizer = Tokenizer.from_file(str(root / "tokenizer/tokenizer.json"))
        scheduler = json.loads((root / "scheduler/scheduler_config.json").read_text())
        self.shift = scheduler["shift"]
        self.channels = json.loads((root / "unet/config.json").read_text())["in_channels"]

    def embedding(self, prompts: list[str]) -> np.ndarray:
        """[N, 24, 128]"""
        ids = np.array([self.tokenizer.encode(prompt).ids for prompt in prompts], np.int64)
        return self.text.run(["last_hidden_state"], {"input_ids": ids})[0]

    def latent(self, prompt: str, first: np.ndarray, steps: int, guidance: float) -> np.ndarray:
        """`first` [1, C, h, w] of unit normal noise -> [1, C, h, w] without noise."""
        text = self.embedding(["", prompt])
        levels, x = sigmas(steps, self.shift), first
        for now, then in zip(levels, levels[1:]):
            feed = {
                "sample": np.concatenate([x, x]),
                "timestep": np.array(now * 1000, np.float32),
                "encoder_hidden_states": text,
            }
            plain, asked = self.unet.run(["out_sample"], feed)[0]
            x = x + np.float32(then - now) * (plain + guidance * (asked - plain))[None]
        return x

    def pixels(self, latent: np.ndarray) -> np.ndarray:
        """[1, C, h, w] -> [8h, 8w, 3] uint8."""
        image = self.decoder.run(["sample"], {"latent_sample": latent})[0][0]
        return np.rint(np.clip(image / 2 + 0.5, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)

    def __call__(
        self,
        prompt: str,
        width: int = 256,
        height: int = 256,
        steps: int = 24,
        guidance: float = 2.0,
        seed: int = 0,
    ) -> np.ndarray:
        """[height, width, 3] uint8; width and height are multiples of 64."""
        first = first_latent(seed, self.channels, height // PATCH, width // PATCH)
        return self.pixels(self.latent(prompt, first, steps, guidance))
