"""A transcript: its sentences with their times, and the forms of files that show it."""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray


class Sentence(msgspec.Struct, frozen=True):
    """What is said from one time to another, in seconds from the begin; `tokens` are the model's, times among them."""

    id: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...] = ()


class Word(msgspec.Struct, frozen=True):
    """A word with its punctuation, and when it is said, in seconds from the begin."""

    word: str
    start: float
    end: float


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said; `language` is a code such as `en`, `duration` the seconds of the recording.

    `words` is there where the times of words were asked for.
    """

    task: str = "transcribe"
    language: str
    duration: float
    text: str
    segments: tuple[Sentence, ...]
    words: tuple[Word, ...] | msgspec.UnsetType = msgspec.UNSET


def as_array(transcript: Transcript) -> NDArray[np.uint8]:
    """Return the transcript as JSON, for the entry `transcript` of `RawOutput.arrays`."""
    return np.frombuffer(msgspec.json.encode(transcript), np.uint8)


def read(array: NDArray[np.uint8]) -> Transcript:
    """Return the transcript of `as_array`."""
    return msgspec.json.decode(array.tobytes(), type=Transcript)


def to_srt(transcript: Transcript) -> str:
    """Return subtitles in SubRip's form: a number, the times with a comma, the words, an empty line."""
    return "".join(
        f"{number}\n{_clock(each.start, ',')} --> {_clock(each.end, ',')}\n{_lines(each.text)}\n\n"
        for number, each in enumerate(transcript.segments, start=1)
    )


def to_vtt(transcript: Transcript) -> str:
    """Return subtitles in WebVTT (W3C): the signature, then each cue; `<` and `&` are written as entities."""
    return "WEBVTT\n\n" + "".join(_cues(transcript))


def _cues(transcript: Transcript) -> Iterator[str]:
    for each in transcript.segments:
        words = _lines(each.text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield f"{_clock(each.start, '.')} --> {_clock(each.end, '.')}\n{words}\n\n"


def _clock(seconds: float, point: str) -> str:
    """Return hours, minutes, seconds and thousandths."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _lines(text: str) -> str:
    """Return the words in one line: an empty one would end the subtitle, and an arrow would be read as times."""
    return " ".join(text.split()).replace("-->", "->")
