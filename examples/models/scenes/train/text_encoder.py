"""Prompt -> token ids -> embedding."""

import re

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Attention
from .grammar import vocabulary

TOKENS = 24
WIDTH = 128
LAYERS = 2


def token_ids(prompt: str, ids: dict[str, int] | None = None) -> list[int]:
    """<bos>, the words ([a-z]+, lower case), <pad>; 24 in all, the rest is cut off."""
    ids = ids or vocabulary()
    words = re.findall(r"[a-z]+", prompt.lower())
    found = [ids["<bos>"]] + [ids.get(word, ids["<unk>"]) for word in words]
    return (found + [ids["<pad>"]] * TOKENS)[:TOKENS]


class TextEncoder(nn.Module):
    """input_ids [N, 24] -> [N, 24, 128]; learned together with the denoiser."""

    def __init__(self) -> None:
        super().__init__()
        self.tok = nn.Embedding(len(vocabulary()), WIDTH)
        nn.init.normal_(self.tok.weight, std=0.5)
        self.pos = nn.Parameter(torch.randn(1, TOKENS, WIDTH) * 0.02)
        self.blocks = nn.ModuleList(_block() for _ in range(LAYERS))
        self.nf = nn.LayerNorm(WIDTH)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.tok(input_ids) + self.pos
        for block in self.blocks:
            x = x + block["a"](block["n1"](x))
            x = x + block["f2"](F.gelu(block["f1"](block["n2"](x))))
        return self.nf(x)


def _block() -> nn.ModuleDict:
    """Attention `a` and feed-forward `f1`, `f2`, with the norm before each."""
    return nn.ModuleDict(
        {
            "n1": nn.LayerNorm(WIDTH),
            "a": Attention(WIDTH),
            "n2": nn.LayerNorm(WIDTH),
            "f1": nn.Linear(WIDTH, 4 * WIDTH),
            "f2": nn.Linear(4 * WIDTH, WIDTH),
        }
    )
