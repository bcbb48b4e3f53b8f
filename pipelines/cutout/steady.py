"""Mattes of one frame after the other, steady where the picture stays.

A network sees each frame alone, and noise of the camera or of the encoding moves its matte a little: the edge flickers.
So a pixel whose surroundings stay keeps most of its matte, and one whose surroundings change takes the new one at once.
"""

import numpy as np

from pipelines.cutout.arrays import Floats, Pixels, local_mean

KEPT = 0.85
"""Share of the matte before that a pixel keeps whose surroundings do not change at all."""
STILL = 6.0
"""Difference of a channel, of 255, at which little more than a third of that is kept; noise of a camera is about 2."""
WINDOW = 5
"""Side, in pixels, of the surroundings."""


class SteadyMatte:
    """The mattes of one film, frame by frame; it holds the last frame and its matte."""

    def __init__(self) -> None:
        self._before: tuple[Pixels, Floats] | None = None

    def follow(self, image: Pixels, matte: Pixels) -> Pixels:
        """Return the matte (height x width) of the next frame (height x width x 3), steadied."""
        current = matte.astype(np.float32)
        if self._before is not None:
            seen, earlier = self._before
            current += kept_shares(seen, image) * (earlier - current)
        self._before = image, current
        return np.asarray(current + 0.5, np.uint8)


def kept_shares(before: Pixels, after: Pixels) -> Floats:
    """Return for each pixel how much of its matte stays, 0 to `KEPT`."""
    difference = np.abs(after.astype(np.int16) - before).mean(axis=2)
    return np.asarray(KEPT * np.exp(-((local_mean(difference, WINDOW) / STILL) ** 2)), np.float32)
