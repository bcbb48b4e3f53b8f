"""Audio samples: chunks joined without a click. No torch.

Samples are float32 in -1 to 1, one channel.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

TOKENS_PER_SECOND = 25
"""The unit of `max_new_tokens`: 25 of Chatterbox's tokens are a second, and every model uses that measure."""
PAUSE_TOKENS = 5
"""The pause between two chunks: 0.2 s, like a breath."""
FADE_SECONDS = 0.01
CROSS_FADE_SECONDS = 0.04
"""In which one chunk goes over into the next one."""
LEAST_SILENCE_SECONDS = 0.06
"""What is left of the silence at an end that is cross-faded; models begin and end each chunk with more."""
SILENT = 0.003
"""Height of a wave that is not heard, -50 dB."""

Edge = Literal["cut", "pause", "cross-fade"]
"""How a chunk meets its neighbor: as it is, with a pause between the two, or in the middle of a phrase."""


class JoinedSpeech:
    """Chunks of speech, joined so that no step is audible.

    Ends that meet a pause fade, and those that meet in the middle of a phrase are cross-faded. At most `max_samples`
    are kept, and the end fades out where something is cut off. Each part is given to `play` as soon as it is there, if
    there is one.
    """

    def __init__(
        self, rate: int, max_samples: int | None = None, play: Callable[[Samples, int], None] | None = None
    ) -> None:
        self.is_cut = False
        self._rate, self._room, self._play = rate, max_samples, play
        self._parts: list[Samples] = []
        self._tail = np.zeros(0, np.float32)
        """What the last chunk has kept back, to be cross-faded with the next one."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added yet."""
        return not self._parts

    def add(self, samples: Samples, *, after: Edge, before: Edge) -> None:
        """Add a chunk, or a piece of one; `after` is how it begins and `before` how it ends."""
        part = _faded(samples, self._rate, begin=after == "pause", end=before == "pause")
        if after == "cross-fade":
            part = _cross_faded(self._tail, part[_silence(part, self._rate) :])
        else:
            pause = np.zeros(PAUSE_TOKENS * self._rate // TOKENS_PER_SECOND if after == "pause" else 0, np.float32)
            part = np.concatenate([self._tail, pause, part])
        kept = 0
        if before == "cross-fade":
            part = part[: len(part) - _silence(part[::-1], self._rate)]
            kept = min(round(CROSS_FADE_SECONDS * self._rate), len(part) // 2)
        self._tail = part[len(part) - kept :]
        self._keep(part[: len(part) - kept])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `pipelines.speech.encode` takes: the samples, and the lengths of the parts that were played."""
        self._keep(fade_out(self._tail, self._rate))
        self._tail = self._tail[:0]
        arrays: dict[str, NDArray[Any]] = {"samples": np.concatenate([np.zeros(0, np.float32), *self._parts])}
        if self._play is not None:
            arrays["parts"] = np.array([len(part) for part in self._parts], np.int64)
        return arrays

    def _keep(self, part: Samples) -> None:
        if self._room is not None:
            self.is_cut = self.is_cut or len(part) > self._room
            part = fade_out(part[: self._room], self._rate) if len(part) > self._room else part
            self._room -= len(part)
        if len(part):
            self._parts.append(part)
            if self._play is not None:
                self._play(part, self._rate)


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


def _silence(samples: Samples, rate: int) -> int:
    """Return how many samples at the beginning are more silence than is left of it."""
    loud = np.flatnonzero(np.abs(samples) > SILENT)
    return max(0, int(loud[0]) - round(LEAST_SILENCE_SECONDS * rate)) if len(loud) else 0


def _cross_faded(before: Samples, after: Samples) -> Samples:
    """Return both as one, where the end of the first goes over into the beginning of the second."""
    length = min(len(before), len(after))
    ramp = ((1 - np.cos(np.linspace(0, np.pi, length))) / 2).astype(np.float32)
    start = len(before) - length
    over = before[start:] * ramp[::-1] + after[:length] * ramp
    return np.concatenate([before[:start], over, after[length:]])
