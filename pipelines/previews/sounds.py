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


def peaks_file(samples: NDArray[np.float32], stem: str, folder: Path) -> PreviewFile:
    """Write the peaks of samples (one axis, -1 to 1) as `stem-peaks.bin` in `folder`, and return them."""
    file = folder / f"{stem}-peaks.bin"
    file.write_bytes(peaks(samples).tobytes())
    return PreviewFile(name="peaks", path=file.name, media_type=MEDIA_TYPE, width=PAIRS)


def peaks(samples: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return `PAIRS` x 2; parts that are shorter than a sample have the sample that they lie in."""
    edges = np.arange(PAIRS) * len(samples) // PAIRS
    low, high = (reduced.reduceat(samples, edges) for reduced in (np.minimum, np.maximum))
    pairs = np.clip(np.stack([low, high], axis=1), -1, 1) * 127
    rounded: NDArray[np.int8] = np.rint(pairs).astype(np.int8)
    return rounded
