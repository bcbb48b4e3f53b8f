"""VideoGen: a file of the media library, as its routes answer it and its webhooks send it.

Links of this service do not expire while the item is there. They are said to work for a week: clients ask anew then.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from core.settings import Settings
from jobs.media import AnalysisState, Media
from jobs.wire.media import media_url, preview_url, public_media_url

FILE = "vg_file_"
"""The prefix of the ids of files; the media item's UUID follows."""
LINK_SECONDS = 7 * 86_400
"""How long a link is promised to work at least."""
KINDS: Mapping[str, str] = {"image": "IMAGE", "video": "VIDEO", "audio": "AUDIO"}
DOCUMENTS: Mapping[str, str] = {
    "application/pdf": "PDF",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "SLIDESHOW",
}
"""The types of documents that are not TEXT."""
STATUSES: Mapping[str, str] = {"waiting": "pending", "ready": "ready", "failed": "failed"}
THUMBNAILS = ("thumbnail", "poster")
"""The previews of an item that may be its thumbnail, the better one first."""
SMALLER = ("web",)
"""Those that may be its preview."""


class FileSource(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One rendering of a file: `pending`, `ready` with its link, `failed`, or `skipped` where there is none."""

    status: str
    url: str | None = None
    expires_at: int | None = None
    width: int | None = None
    height: int | None = None
    file_bytes: int | None = None


class SpokenWord(msgspec.Struct, frozen=True, rename="camel"):
    """A word of a transcript, and when it is spoken."""

    start_seconds: float
    end_seconds: float
    word: str


class VideoGenTranscript(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is spoken in a file, word by word."""

    language_code: str | None = None
    words: tuple[SpokenWord, ...] = ()


class FileAnalysis(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The state of a file's analysis: its description, its transcript and its vector, a job each."""

    analysis_loading_state: str = "UNATTEMPTED"
    analysis_progress_percentage: int = 0
    analysis_attempt_index: int = 0


ANALYSIS_STATES: Mapping[AnalysisState, str] = {
    "none": "UNATTEMPTED",
    "running": "LOADING",
    "done": "FULFILLED",
    "failed": "REJECTED",
}


class MadeBy(msgspec.Struct, frozen=True):
    """The execution that made a file, and its tool."""

    execution_id: str
    tool_type: str


class VideoGenFile(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A file. `type` is null for what VideoGen has no word for: a mesh, and what has not come yet."""

    file_id: str
    type: str | None
    scope: str
    display_name: str
    description: str | None
    duration_seconds: float | None
    transcript: VideoGenTranscript | None
    transcript_text: str | None
    download_url: str | None
    download_url_expires_at: int | None
    thumbnail_url: str | None
    thumbnail_url_expires_at: int | None
    thumbnail_source: FileSource | None
    preview_source: FileSource | None
    download_source: FileSource
    hls_source: FileSource | None = None
    is_public_preview_enabled: bool
    static_public_preview_source: FileSource | None
    public_hls_url: str | None = None
    public_playback_id: str | None
    source_tool_type: str | None
    source_tool_execution_id: str | None
    file_analysis_metadata: FileAnalysis


def file_id(media_id: str) -> str:
    """Return the id of the file that an item is."""
    return FILE + media_id.removeprefix("med_")


def file_of(media: Media, settings: Settings, made_by: MadeBy | None = None) -> VideoGenFile:
    """Return the file that an item of the media library is, with fresh links."""
    until = int(time.time()) + LINK_SECONDS
    url = media_url(media, settings)
    download = FileSource(
        status=STATUSES[media.status],
        url=url,
        expires_at=until if url else None,
        width=media.width,
        height=media.height,
        file_bytes=media.bytes if url else None,
    )
    thumbnail = _preview(media, THUMBNAILS, until, settings)
    public = public_media_url(media, settings)
    transcript, text = _transcript(media.transcript)
    return VideoGenFile(
        file_id=file_id(media.id),
        type=_type(media),
        scope="TEMPORARY" if media.temporary else "GLOBAL",
        display_name=media.file_name,
        description=media.description or media.prompt,
        duration_seconds=media.duration_seconds,
        transcript=transcript,
        transcript_text=text,
        download_url=url,
        download_url_expires_at=download.expires_at,
        thumbnail_url=thumbnail.url if thumbnail else None,
        thumbnail_url_expires_at=thumbnail.expires_at if thumbnail else None,
        thumbnail_source=thumbnail,
        preview_source=_preview(media, SMALLER, until, settings),
        download_source=download,
        is_public_preview_enabled=public is not None,
        static_public_preview_source=(
            None
            if public is None
            else FileSource(status="ready", url=public, width=media.width, height=media.height, file_bytes=media.bytes)
        ),
        public_playback_id=media.public_token,
        source_tool_type=made_by.tool_type if made_by else None,
        source_tool_execution_id=made_by.execution_id if made_by else None,
        file_analysis_metadata=_analysis(media),
    )


def _analysis(media: Media) -> FileAnalysis:
    """Return the state; the job under way is the last one of those that were made."""
    ended = {"running": max(0, len(media.analyzed) - 1) / len(media.found), "done": 1.0}
    return FileAnalysis(
        analysis_loading_state=ANALYSIS_STATES[media.analysis],
        analysis_progress_percentage=int(100 * ended.get(media.analysis, 0.0)),
    )


def _type(media: Media) -> str | None:
    if media.kind == "document":
        return DOCUMENTS.get(media.media_type or "", "TEXT")
    return KINDS.get(media.kind or "")


def _preview(media: Media, names: tuple[str, ...], until: int, settings: Settings) -> FileSource | None:
    """Return the first of these previews that an item has; None for sounds, which VideoGen shows without."""
    if media.kind in ("audio", None):
        return None
    found = next((one for name in names for one in media.previews if one.name == name), None)
    if found is not None:
        return FileSource(
            status="ready",
            url=preview_url(media, found.name, settings),
            expires_at=until,
            width=found.width,
            height=found.height,
            file_bytes=found.bytes,
        )
    return FileSource(status="skipped")


def _transcript(kept: Any) -> tuple[VideoGenTranscript | None, str | None]:
    """Return a transcript in VideoGen's shape, if it is one or can be made one, and its text."""
    if isinstance(kept, str):
        return None, kept
    try:
        if isinstance(kept, dict) and "segments" in kept:
            heard = msgspec.convert(kept, _Heard)
            words = tuple(word for sentence in heard.segments for word in _words(sentence))
            found = VideoGenTranscript(language_code=heard.language, words=words)
        else:
            found = msgspec.convert(kept, VideoGenTranscript)
    except msgspec.ValidationError:
        return None, None
    return found, " ".join(one.word for one in found.words)


class _Sentence(msgspec.Struct, frozen=True):
    """What is said from one time to another, in seconds."""

    start: float
    end: float
    text: str


class _Heard(msgspec.Struct, frozen=True):
    """A transcript as the analysis of an item has it."""

    segments: tuple[_Sentence, ...]
    language: str | None = None


def _words(sentence: _Sentence) -> Iterator[SpokenWord]:
    """Yield the words, each with a share of the sentence's time by its letters: no other times are known."""
    words = sentence.text.split()
    seconds = (sentence.end - sentence.start) / max(1, sum(map(len, words)))
    begin = sentence.start
    for word in words:
        until = begin + seconds * len(word)
        yield SpokenWord(round(begin, 3), round(until, 3), word)
        begin = until
