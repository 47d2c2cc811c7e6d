"""The first latent of patchbay, value by value: Philox4x32-10 keyed by (seed, draw, channel, row, column).

The counterpart of pcpp/samplers/noise.ts.
"""

import numpy as np

MASK = np.uint64(0xFFFFFFFF)


def philox(counter: list[np.ndarray], key: tuple[int, int]) -> list[np.ndarray]:
    """Ten rounds; four words in 0..2^32 - 1 as uint64 arrays of one shape, in and out."""
    a, b, c, d = counter
    k0, k1 = (np.uint64(part) for part in key)
    for _ in range(10):
        product_a, product_c = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (
            (product_c >> np.uint64(32)) ^ b ^ k0,
            product_c & MASK,
            (product_a >> np.uint64(32)) ^ d ^ k1,
            product_a & MASK,
        )
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & MASK, (k1 + np.uint64(0xBB67AE85)) & MASK
    return [a, b, c, d]


def first_latent(seed: int, channels: int, height: int, width: int) -> np.ndarray:
    """[1, channels, height, width] float32, unit normal; height and width in latent rows and columns."""
    quads = -(-width // 4)
    grid = np.meshgrid(np.arange(channels), np.arange(height), np.arange(quads), indexing="ij")
    channel, row, quad = (axis.astype(np.uint64) for axis in grid)
    words = philox([quad, row, channel, np.zeros_like(quad)], (seed & 0xFFFFFFFF, seed >> 32))
    a, b, c, d = (word.astype(np.float64) + 0.5 for word in words)
    normals = []
    for first, second in ((a, b), (c, d)):
        radius = np.sqrt(-2 * np.log(first / 2**32))
        angle = 2 * np.pi * second / 2**32
        normals += [radius * np.cos(angle), radius * np.sin(angle)]
    values = np.stack(normals, -1).reshape(channels, height, quads * 4)
    return values[None, :, :, :width].astype(np.float32)
