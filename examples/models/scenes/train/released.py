"""Reads the released ONNX graphs back into the networks, so that training goes on without a checkpoint.

Exporters rename and transpose weights. So the networks are exported with values that are told apart at a glance, and what
became of each is found in the graph by value; the released graph has the same weights in the same places.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .graphs import weights_of, write_graphs

PARTS = {"text_encoder": "text", "unet": "unet", "vae_decoder": "decoder"}


def read_released(networks: nn.Module, root: Path) -> None:
    """@raises ValueError if the graphs are of another architecture."""
    with torch.no_grad():
        for parameter in networks.parameters():
            parameter.copy_(torch.randn_like(parameter) + 0.5)
    with tempfile.TemporaryDirectory() as folder:
        write_graphs(networks, Path(folder))
        for directory, part in PARTS.items():
            file = Path(directory) / "model.onnx"
            marked, released = weights_of(Path(folder) / file), weights_of(root / file)
            if [a.shape for a in marked] != [a.shape for a in released]:
                raise ValueError(
                    f"{root / file}: not the graph that these networks are exported as"
                )
            places = {a.tobytes(): b for a, b in zip(marked, released)}
            for name, parameter in getattr(networks, part).named_parameters():
                with torch.no_grad():
                    parameter.copy_(_found(f"{directory}: {name}", parameter, places))


def _found(name: str, marked: Tensor, places: dict[bytes, np.ndarray]) -> Tensor:
    values = marked.detach().numpy()
    if values.tobytes() in places:
        return torch.from_numpy(places[values.tobytes()].reshape(values.shape))
    turned = values.T.copy()
    if values.ndim == 2 and turned.tobytes() in places:
        return torch.from_numpy(places[turned.tobytes()].reshape(turned.shape).T.copy())
    raise ValueError(f"{name} is not in the exported graph")
