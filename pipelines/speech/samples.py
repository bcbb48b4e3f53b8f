"""Audio samples: chunks joined without a click, fades and another tempo. No torch.

Samples are float32 in -1 to 1, one channel.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

Samples = NDArray[np.float32]

TOKENS_PER_SECOND = 25
"""The unit of `max_new_tokens`: 25 of Chatterbox's tokens are a second, and every model uses that measure."""
PAUSE_TOKENS = 5
"""The pause between two chunks: 0.2 s, like a breath."""
FADE_SECONDS = 0.01
TEMPO_CHUNK = 1 << 16
"""Samples that the filter of `TempoFilter` is given at once."""


class JoinedSpeech:
    """Chunks of speech with a pause between each two; ends that meet a pause fade, so that no step is audible.

    At most `max_samples` are kept, and the end fades out where something is cut off. Each part is given to `play` as
    soon as it is there, if there is one.
    """

    def __init__(
        self, rate: int, max_samples: int | None = None, play: Callable[[Samples, int], None] | None = None
    ) -> None:
        self.is_cut = False
        self._rate, self._room, self._play = rate, max_samples, play
        self._parts: list[Samples] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added yet."""
        return not self._parts

    def add(self, samples: Samples, *, after_pause: bool, before_pause: bool) -> None:
        """Add a chunk, or a piece of one, which has a pause on one of its sides or on none."""
        pause = np.zeros(PAUSE_TOKENS * self._rate // TOKENS_PER_SECOND if after_pause else 0, np.float32)
        part = np.concatenate([pause, _faded(samples, self._rate, begin=after_pause, end=before_pause)])
        if self._room is not None:
            self.is_cut = self.is_cut or len(part) > self._room
            part = fade_out(part[: self._room], self._rate) if len(part) > self._room else part
            self._room -= len(part)
        if len(part):
            self._parts.append(part)
            if self._play is not None:
                self._play(part, self._rate)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `pipelines.speech.encode` takes: the samples, and the lengths of the parts that were played."""
        arrays: dict[str, NDArray[Any]] = {"samples": np.concatenate([np.zeros(0, np.float32), *self._parts])}
        if self._play is not None:
            arrays["parts"] = np.array([len(part) for part in self._parts], np.int64)
        return arrays


def fade_out(samples: Samples, rate: int) -> Samples:
    """Return the samples with their end faded to silence."""
    return _faded(samples, rate, begin=False, end=True)


def truncation_warning(tokens: int) -> str:
    """Return the warning for a text that was longer than `max_new_tokens` allows."""
    return f"the text is longer than `max_new_tokens` allows; it was cut off after {tokens / TOKENS_PER_SECOND:g} s"


def _faded(samples: Samples, rate: int, *, begin: bool, end: bool) -> Samples:
    faded = np.array(samples, np.float32)
    length = min(round(FADE_SECONDS * rate), len(faded) // 2)
    ramp = ((1 - np.cos(np.linspace(0, np.pi, length, endpoint=False))) / 2).astype(np.float32)
    if begin:
        faded[:length] *= ramp
    if end and length:
        faded[-length:] *= ramp[::-1]
    return faded


class TempoFilter:
    """Samples that take `tempo` times less time, 0.25 to 4, at the same pitch, a part at a time; unchanged for 1.

    ffmpeg's filter `atempo` overlaps pieces where their waves are most similar. Beyond 2 it leaves
    pieces out, so it is applied twice there, and below 0.5, which it does not take.
    """

    def __init__(self, rate: int, tempo: float) -> None:
        self._rate, self._pushed = rate, 0
        self._graph = None if tempo == 1.0 else _tempo_graph(rate, tempo)

    def change(self, samples: Samples) -> Samples:
        """Return what follows of the changed samples, now that these have come."""
        if self._graph is None:
            return samples
        made = [np.zeros(0, np.float32)]
        for start in range(0, len(samples), TEMPO_CHUNK):
            part = np.ascontiguousarray(samples[None, start : start + TEMPO_CHUNK])
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
            frame.sample_rate, frame.pts = self._rate, self._pushed
            self._pushed += part.shape[1]
            self._graph.push(frame)
            made += _pulled(self._graph)
        return np.concatenate(made)

    def finish(self) -> Samples:
        """Return what is left at the end."""
        if self._graph is None or not self._pushed:
            return np.zeros(0, np.float32)
        self._graph.push(None)
        return np.concatenate([np.zeros(0, np.float32), *_pulled(self._graph)])


def _tempo_graph(rate: int, tempo: float) -> Graph:
    graph = Graph()
    last = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
    for step in [tempo] if 0.5 <= tempo <= 2 else [sqrt(tempo)] * 2:
        filter_ = graph.add("atempo", f"{step:.6f}")
        last.link_to(filter_)
        last = filter_
    last.link_to(graph.add("abuffersink"))
    graph.configure()
    return graph


def _pulled(graph: Graph) -> list[NDArray[np.float32]]:
    found: list[NDArray[np.float32]] = []
    while True:
        try:
            found.append(np.asarray(graph.pull().to_ndarray())[0])
        except (av.error.BlockingIOError, av.error.EOFError):
            return found
