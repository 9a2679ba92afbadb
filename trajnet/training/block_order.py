"""A random order of windows that reads each piece of the shards in one short stretch of an epoch.

A window cannot be read without its piece, which holds up to 256 of them. In a wholly random order nearly every window
costs the reading of a piece. So pieces are drawn into blocks, and windows are shuffled within their block.
"""

from __future__ import annotations

import numpy as np

from trajnet.types import IntArray

#: Windows of a block: those of about 130 scenes, so that a batch of 256 has one or two windows of a scene.
BLOCK_WINDOWS = 32_768


def shuffled_rows(sizes: IntArray, draw: np.random.Generator) -> IntArray:
    """Return the rows of pieces of these sizes (P,), one behind the other, in a random order block by block.

    Blocks are of nearly the same size. So few rows that they are one block are shuffled as a whole.
    """
    count = int(sizes.sum())
    blocks = -(-count // BLOCK_WINDOWS)
    rows = np.arange(count)
    if blocks <= 1:
        draw.shuffle(rows)
        return rows
    order = draw.permutation(len(sizes))
    begin = (np.cumsum(sizes) - sizes)[order]
    end = np.cumsum(sizes[order])
    rows += np.repeat(begin - (end - sizes[order]), sizes[order])
    cuts = end[np.searchsorted(end, count * np.arange(1, blocks) / blocks)]
    for block in np.split(rows, cuts):
        draw.shuffle(block)
    return rows
