"""Multi-head attention, used by the text encoder and the denoiser."""

import torch
from torch import Tensor, nn

HEAD_WIDTH = 32


class Attention(nn.Module):
    """To itself, or to a context of `context_width` features. [N, T, D] -> [N, T, D]."""

    def __init__(self, width: int, context_width: int | None = None) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        context_width = context_width or width
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        n = x.shape[0]
        q = self.to_q(x).view(n, -1, self.heads, HEAD_WIDTH).transpose(1, 2)
        k = self.to_k(context).view(n, -1, self.heads, HEAD_WIDTH).permute(0, 2, 3, 1)
        v = self.to_v(context).view(n, -1, self.heads, HEAD_WIDTH).transpose(1, 2)
        weights = (torch.matmul(q, k) * HEAD_WIDTH**-0.5).softmax(-1)
        joined = torch.matmul(weights, v).transpose(1, 2)
        return self.to_out(joined.reshape(n, -1, self.heads * HEAD_WIDTH))
