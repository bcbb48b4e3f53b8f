"""Audio samples: chunks joined without a click, truncation, fades and another tempo. No torch.

Samples are float32 in -1 to 1, one channel.
"""

from collections.abc import Sequence
from math import sqrt

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
"""Samples that the filter of `change_tempo` is given at once."""


def join_chunks(chunks: Sequence[Samples], rate: int) -> Samples:
    """Return the chunks with a pause between each two; ends that meet a pause fade, so that no step is audible."""
    if not chunks:
        return np.zeros(0, np.float32)
    pause = np.zeros(PAUSE_TOKENS * rate // TOKENS_PER_SECOND, np.float32)
    parts: list[Samples] = []
    for number, chunk in enumerate(chunks):
        parts += [pause] if number else []
        parts.append(_faded(chunk, rate, begin=number > 0, end=number < len(chunks) - 1))
    return np.concatenate(parts)


def truncate(samples: Samples, max_samples: int, rate: int) -> Samples:
    """Return at most `max_samples` samples; the end fades out if something was cut off."""
    return samples if len(samples) <= max_samples else fade_out(samples[:max_samples], rate)


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


def change_tempo(samples: NDArray[np.float32], rate: int, tempo: float) -> NDArray[np.float32]:
    """Return samples that take `tempo` times less time, 0.25 to 4, at the same pitch; unchanged for 1.

    ffmpeg's filter `atempo` overlaps pieces where their waves are most similar. Beyond 2 it leaves
    pieces out, so it is applied twice there, and below 0.5, which it does not take.
    """
    if tempo == 1.0:
        return samples
    graph = Graph()
    last = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
    for step in [tempo] if 0.5 <= tempo <= 2 else [sqrt(tempo)] * 2:
        filter_ = graph.add("atempo", f"{step:.6f}")
        last.link_to(filter_)
        last = filter_
    last.link_to(graph.add("abuffersink"))
    graph.configure()
    made: list[NDArray[np.float32]] = []
    for start in range(0, len(samples), TEMPO_CHUNK):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + TEMPO_CHUNK], format="flt", layout="mono")
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
