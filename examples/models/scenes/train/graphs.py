"""The networks as ONNX graphs, with the inputs and outputs that exports of diffusers models have."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from .denoiser import LATENT_CHANNELS
from .text_encoder import TOKENS, WIDTH

OPSET = 17
SMALLEST_HALVED = 256
"""Values; smaller tensors stay fp32."""


class PooledText(nn.Module):
    """Adds the pooled output that exporters write: the state at <bos>."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.net(input_ids)
        return hidden, hidden[:, 0]


class ScalarTime(nn.Module):
    """The timestep without a dimension, as exporters have it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        return self.net(sample, timestep.reshape(1), encoder_hidden_states)


def write_graphs(networks: nn.Module, root: Path) -> None:
    """text_encoder, unet and vae_decoder, each `model.onnx`, weights in fp32."""
    batch = "batch_size"
    _write(
        PooledText(networks.text),
        (torch.zeros(2, TOKENS, dtype=torch.long),),
        root / "text_encoder",
        {"input_ids": {0: batch}},
        {"last_hidden_state": {0: batch}, "pooler_output": {0: batch}},
    )
    sample = torch.randn(2, LATENT_CHANNELS, 32, 32)
    plane = {0: batch, 2: "height", 3: "width"}
    _write(
        ScalarTime(networks.unet),
        (sample, torch.tensor(500.0), torch.randn(2, TOKENS, WIDTH)),
        root / "unet",
        {
            "sample": plane,
            "timestep": {},
            "encoder_hidden_states": {0: batch, 1: "sequence_length"},
        },
        {"out_sample": plane},
    )
    _write(
        networks.decoder,
        (torch.randn(1, LATENT_CHANNELS, 16, 16),),
        root / "vae_decoder",
        {"latent_sample": {0: batch, 2: "latent_height", 3: "latent_width"}},
        {"sample": plane},
    )


def _write(net: nn.Module, example: tuple, folder: Path, inputs: dict, outputs: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            example,
            str(folder / "model.onnx"),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=inputs | outputs,
            opset_version=OPSET,
            dynamo=False,
        )


def halve_weights(path: Path) -> None:
    """Before: W in fp32. After: W in fp16 and a Cast to fp32, so that every runtime computes in fp32."""
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            continue
        graph.initializer.remove(tensor)
        half = tensor.name + "_fp16"
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), half))
        cast = helper.make_node(
            "Cast", [half], [tensor.name], name="cast_" + tensor.name, to=TensorProto.FLOAT
        )
        casts.append(cast)
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    model.producer_name = "scenes"
    del model.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def weights_of(path: Path) -> list[np.ndarray]:
    """All float weights of a graph in their order, as fp32, whatever they are called."""
    found = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    floats = {name: a for name, a in found.items() if a.dtype in (np.float16, np.float32)}
    # Halved weights stand behind the others: sort both kinds by what they were called before.
    whole = {name.removesuffix("_fp16"): a.astype(np.float32) for name, a in floats.items()}
    return [whole[name] for name in sorted(whole, key=_place)]


def _place(name: str) -> tuple:
    """Exporters number what has no name of its own: `onnx::MatMul_2367`."""
    kind, _, number = name.rpartition("_")
    return (1, int(number)) if kind.startswith("onnx::") else (0, name)
