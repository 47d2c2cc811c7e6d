"""The three networks together, and where their weights come from: nothing, a checkpoint, or the released model."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from .autoencoder import Decoder, Encoder
from .denoiser import Denoiser, DenoiserShape
from .released import read_released
from .text_encoder import TextEncoder


class Networks(nn.Module):
    """What an image needs; the encoder is only needed for training."""

    def __init__(self, shape: DenoiserShape, encoder: Encoder | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.unet = Denoiser(shape)
        self.text = TextEncoder()
        self.decoder = Decoder(encoder.inverse if encoder else None)

    def save(self, path: Path, **more) -> None:
        """`more` is what a training needs to go on; written whole or not at all."""
        part = path.with_suffix(path.suffix + ".part")
        torch.save({"shape": asdict(self.shape), "networks": self.state_dict(), **more}, part)
        part.replace(path)


def load_networks(source: Path) -> tuple[Networks, dict]:
    """From a checkpoint file or a model directory; with what else a checkpoint holds."""
    if source.is_dir():
        networks = Networks(DenoiserShape())
        read_released(networks, source)
        return networks, {}
    saved = torch.load(source, map_location="cpu")
    networks = Networks(DenoiserShape(**saved["shape"]))
    networks.load_state_dict(saved["networks"])
    return networks, saved
