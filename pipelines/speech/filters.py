"""Filters of ffmpeg for samples that come in parts: a chain of them, and another tempo. No torch."""

from collections.abc import Iterator
from math import sqrt
from typing import Any

import av
import numpy as np
from av.filter import Graph

from pipelines.speech.samples import Samples

CHUNK = 1 << 16
"""Samples that a filter is given at once."""


class FilterChain:
    """Filters of ffmpeg, each a name and its arguments, one after another.

    The same samples give the same in parts of any length.
    """

    def __init__(self, rate: int, *filters: tuple[str, str]) -> None:
        self._rate, self._pushed, self._graph = rate, 0, Graph()
        last = self._graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
        for name, arguments in (*filters, ("aformat", "sample_fmts=flt"), ("abuffersink", "")):
            added = self._graph.add(name, arguments)
            last.link_to(added)
            last = added
        self._graph.configure()

    def change(self, samples: Samples) -> Samples:
        """Return what follows of the changed samples, now that these have come."""
        return _samples_of(list(self.frames(samples)))

    def finish(self) -> Samples:
        """Return what is left at the end."""
        if not self._pushed:
            return np.zeros(0, np.float32)
        self._graph.push(None)
        return _samples_of(list(self._pulled()))

    def frames(self, samples: Samples) -> Iterator[Any]:
        """Yield the frames that follow, now that these samples have come, with what the filters say of them."""
        for start in range(0, len(samples), CHUNK):
            part = np.ascontiguousarray(samples[None, start : start + CHUNK])
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
            frame.sample_rate, frame.pts = self._rate, self._pushed
            self._pushed += part.shape[1]
            self._graph.push(frame)
            yield from self._pulled()

    def _pulled(self) -> Iterator[Any]:
        while True:
            try:
                yield self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


class TempoFilter:
    """Samples that take `tempo` times less time, 0.25 to 4, at the same pitch, a part at a time; unchanged for 1.

    ffmpeg's filter `atempo` overlaps pieces where their waves are most similar. Beyond 2 it leaves
    pieces out, so it is applied twice there, and below 0.5, which it does not take.
    """

    def __init__(self, rate: int, tempo: float) -> None:
        steps = [tempo] if 0.5 <= tempo <= 2 else [sqrt(tempo)] * 2
        self._chain = None if tempo == 1.0 else FilterChain(rate, *(("atempo", f"{step:.6f}") for step in steps))

    def change(self, samples: Samples) -> Samples:
        """Return what follows of the changed samples, now that these have come."""
        return samples if self._chain is None else self._chain.change(samples)

    def finish(self) -> Samples:
        """Return what is left at the end."""
        return np.zeros(0, np.float32) if self._chain is None else self._chain.finish()


def _samples_of(frames: list[Any]) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *(np.asarray(frame.to_ndarray())[0] for frame in frames)])
