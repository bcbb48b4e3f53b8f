"""A faster or slower voice of the same pitch, by ffmpeg's filter `atempo` (waveform similarity overlap-add)."""

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

CHUNK = 1 << 16
"""Samples that are given to the filter at once."""


def change_tempo(samples: NDArray[np.float32], rate: int, tempo: float) -> NDArray[np.float32]:
    """Return samples that take `tempo` times less time, 0.5 to 2; unchanged for 1."""
    if tempo == 1.0:
        return samples
    graph = Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
    filter_, sink = graph.add("atempo", f"{tempo:.4f}"), graph.add("abuffersink")
    source.link_to(filter_)
    filter_.link_to(sink)
    graph.configure()
    made: list[NDArray[np.float32]] = []
    for start in range(0, len(samples), CHUNK):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + CHUNK], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        graph.push(frame)
        made += _pulled(graph)
    graph.push(None)
    return np.concatenate([*made, *_pulled(graph)])


def _pulled(graph: Graph) -> list[NDArray[np.float32]]:
    found: list[NDArray[np.float32]] = []
    while True:
        try:
            found.append(np.asarray(graph.pull().to_ndarray())[0])
        except (av.error.BlockingIOError, av.error.EOFError):
            return found
