"""What can be found out about an item of the library by a job: one entry for each kind of analysis."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from jobs.job import Job
from jobs.media import Media
from jobs.media_types import TYPES
from jobs.params.registry import AnyParams
from jobs.params.text import LONGEST_PROMPT, EmbeddingParams, TextParams, TranscriptParams
from jobs.statements.media.library import VECTOR
from pipelines.catalog.limits import FilmLimits

LOWEST = 0
"""The priority of jobs for analyses: any other job goes first."""
DESCRIPTION = "description"
"""The kind, its column, and the prompt template that asks for it."""
MOST_TOKENS = 120
"""Of a description: two sentences, in any language."""
LONGEST_FILM = FilmLimits().max_seconds
"""Of a film that a model sees itself; of a longer one it sees the poster."""
SHOWN_BY = {"image": "web", "video": "poster"}
"""The preview that shows an item, by its kind."""


class AnalysisKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of analysis: what to ask about an item, and what to do with the answer.

    `requests` returns the parameters of a job, best first, of which the first that a served model supports is taken;
    none for an item that the kind does not take. Media in them are the item itself: `media_id` as their source, of
    which the job gets the file, or for a picture what `picture_key` says. `columns` returns the values of the row, from
    the file that the job has made. Of several models one with the capability `prefers` is taken.
    """

    name: str
    requests: Callable[[Media], Sequence[AnyParams]]
    columns: Callable[[bytes, Job], dict[str, Any]]
    prefers: str = ""


def picture_key(item: Media) -> str | None:
    """Return the key of a picture of an item: a small copy, the file itself, or the poster of a film; None without."""
    wanted = SHOWN_BY.get(item.kind or "")
    for preview in item.previews:
        if preview.name == wanted:
            return preview.key
    return item.key if item.kind == "image" and item.media_type in TYPES["image"] else None


class _Segment(msgspec.Struct, frozen=True):
    """A sentence of a transcript, in seconds from the begin."""

    start: float
    end: float
    text: str


class _Transcript(msgspec.Struct, frozen=True):
    """The file of a job of transcripts, as far as an item keeps it."""

    language: str
    segments: tuple[_Segment, ...]


class _Vectors(msgspec.Struct, frozen=True):
    """The file of a job of vectors."""

    vectors: list[list[float]]


def _see(item: Media) -> list[AnyParams]:
    if item.description is not None or item.kind not in SHOWN_BY:
        return []
    asked = TextParams(template=DESCRIPTION, max_tokens=MOST_TOKENS, temperature=0.0, priority=LOWEST)
    seen = list[AnyParams]()
    if item.kind == "video" and (item.duration_seconds or 0.0) <= LONGEST_FILM:
        seen.append(msgspec.structs.replace(asked, input_video=item.id))
    if picture_key(item) is not None:
        seen.append(msgspec.structs.replace(asked, images=(item.id,)))
    return seen


def _seen(content: bytes, job: Job) -> dict[str, Any]:
    words = content.decode().strip()
    return {DESCRIPTION: words} if words else {}


def _hear(item: Media) -> list[AnyParams]:
    if item.kind not in ("audio", "video") or item.transcript is not None:
        return []
    return [TranscriptParams(input_audio=item.id, priority=LOWEST)]


def _heard(content: bytes, job: Job) -> dict[str, Any]:
    heard = msgspec.json.decode(content, type=_Transcript)
    return {"transcript": msgspec.to_builtins(heard)} if heard.segments else {}


def _compare(item: Media) -> list[AnyParams]:
    seen: list[AnyParams] = []
    if picture_key(item) is not None:
        seen.append(EmbeddingParams(input_image=item.id, priority=LOWEST))
    words = words_of(item)
    return [*seen, EmbeddingParams(texts=(words,), priority=LOWEST)] if words else seen


def _compared(content: bytes, job: Job) -> dict[str, Any]:
    (vector,) = msgspec.json.decode(content, type=_Vectors).vectors
    return {VECTOR: vector, f"{VECTOR}_model": job.model}


def words_of(item: Media) -> str:
    """Return what an item says about itself: prompt, description and transcript; empty without any."""
    said = " ".join(_texts(item.transcript))
    texts = (text.strip() for text in (item.prompt, item.description, said) if text)
    return "\n".join(filter(None, texts))[:LONGEST_PROMPT].strip()


def _texts(said: Any) -> list[str]:
    """Return the words of a transcript: a text, sentences as above, or words as VideoGen has them."""
    if isinstance(said, str):
        return [said]
    parts = [one for name in ("segments", "words") for one in said.get(name) or ()] if isinstance(said, dict) else []
    found = [one.get("text") or one.get("word") for one in parts if isinstance(one, dict)]
    return [text for text in found if isinstance(text, str)]


KINDS = (
    AnalysisKind(name="transcript", requests=_hear, columns=_heard),
    AnalysisKind(name=DESCRIPTION, requests=_see, columns=_seen),
    AnalysisKind(name=VECTOR, requests=_compare, columns=_compared, prefers="pictures"),
)
"""In the order in which they are made: vectors of words are made of what the kinds before have found."""


def chosen_kinds(names: str) -> tuple[AnalysisKind, ...]:
    """Return the kinds of a list with commas, in the order of `KINDS`. Raises `ValueError` for an unknown one."""
    chosen = {name.strip() for name in names.split(",") if name.strip()}
    known = {kind.name for kind in KINDS}
    if unknown := sorted(chosen - known):
        raise ValueError(f"ATELIER_LIBRARY_ANALYSES={names!r}: {unknown[0]!r} is none of {', '.join(sorted(known))}")
    return tuple(kind for kind in KINDS if kind.name in chosen)
