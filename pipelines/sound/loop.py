"""A sound whose end leads into its beginning."""

import numpy as np
from numpy.typing import NDArray

CROSS_SECONDS = 0.5
"""How long the end and the beginning sound together."""


def cross_length(length: int, rate: int) -> int:
    """Return how many samples more than `length` a loop of that length is made of: half of a short one at most."""
    return min(round(CROSS_SECONDS * rate), length // 2)


def close_loop(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Return the first `length` samples, with what follows them faded into their beginning.

    So what is heard when the loop starts again is what would have followed its end. The two are faded by sine and
    cosine, which keeps the loudness of sounds that have nothing to do with each other. Without samples that follow it
    is a cut.
    """
    made, rest = samples[:length].copy(), samples[length : 2 * length]
    shares = np.linspace(0, np.pi / 2, len(rest), endpoint=False, dtype=np.float32)
    rising, falling = (
        (np.sin(shares), np.cos(shares)) if samples.ndim == 1 else (np.sin(shares)[:, None], np.cos(shares)[:, None])
    )
    made[: len(rest)] = rising * made[: len(rest)] + falling * rest
    return made
