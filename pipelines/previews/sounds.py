"""The peaks of a recording: what a player draws its waveform from. No torch.

`peaks`: 800 pairs of int8, the lowest and the highest sample of each of 800 equal parts, -127 to 127 for -1 to 1. The
file is these 1,600 bytes alone, in order: in a browser `new Int8Array(await response.arrayBuffer())`.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.runtime.protocol import PreviewFile

PAIRS = 800
MEDIA_TYPE = "application/octet-stream"


def peaks_file(pairs: NDArray[np.int8], stem: str, folder: Path) -> PreviewFile:
    """Write peaks as `stem-peaks.bin` in `folder`, and return them."""
    file = folder / f"{stem}-peaks.bin"
    file.write_bytes(pairs.tobytes())
    return PreviewFile(name="peaks", path=file.name, media_type=MEDIA_TYPE, width=PAIRS)


def peaks(low: NDArray[np.floating], high: NDArray[np.floating]) -> NDArray[np.int8]:
    """Return `PAIRS` x 2 from the lowest and the highest of equal parts of a recording, in -1 to 1.

    Samples are such parts, and then both are the same; where there are few, a pair has the one that it lies in.
    """
    edges = np.arange(PAIRS) * len(low) // PAIRS
    pairs = np.stack([np.minimum.reduceat(low, edges), np.maximum.reduceat(high, edges)], axis=1)
    rounded: NDArray[np.int8] = np.rint(np.clip(pairs, -1, 1) * 127).astype(np.int8)
    return rounded
