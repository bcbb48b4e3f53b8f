"""Answers about the media library."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from core.settings import Settings
from jobs.job import JobError
from jobs.media import LibraryKind, Media, MediaOrigin, MediaStatus, ProductLink
from jobs.previews import WEB_PICTURES, WEB_SIDE
from jobs.wire.links import public_link, signed_link
from jobs.wire.status import PreviewAnswer, preview_answer
from jobs.wire.values import UtcTime, documented

ORIGINAL = "original"
"""The name of an item's own file in its link, beside the names of its previews."""


class UploadLink(msgspec.Struct, frozen=True, kw_only=True):
    """Where the file of a new item is to be sent: the body of a `method` request to `url`, before `expires_at`."""

    url: Annotated[str, Meta(description="Where to send the file; the link needs no key.")]
    method: Annotated[Literal["PUT"], Meta(description="How to send it.")] = "PUT"
    headers: Annotated[dict[str, str], Meta(description="Headers to send with it.")] = {}
    expires_at: Annotated[UtcTime, Meta(description="When the link ends, in UTC.")]
    max_bytes: Annotated[int, Meta(description="The largest size of the file, in bytes.")]


class MediaItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the media library. Its `media_id` can stand in every field that takes a URL of media.

    `waiting`: the file is to be sent to `upload`, or a URL is fetched. `failed`: it has no usable file, and `problem`
    says why. `url` is null until it is `ready`; it stays the same, needs no key, and redirects to the object store.
    `optimized_url` is the copy that a page should show: the `web` preview, or the file itself where that is small.
    Anyone may open `public_url`, for as long as the item is published.
    """

    media_id: str
    kind: Annotated[str, documented(LibraryKind)] | None
    status: Annotated[str, documented(MediaStatus)]
    problem: JobError | None
    filename: str
    description: str | None
    media_type: str | None
    bytes: int | None
    sha256: str | None
    width: int | None
    height: int | None
    duration_seconds: float | None
    url: str | None
    thumbnail_url: str | None
    optimized_url: str | None
    previews: list[PreviewAnswer]
    public_url: str | None
    job_id: str | None
    output_number: int | None
    prompt: str | None
    model: str | None
    seed: int | None
    transcript: Any
    tags: tuple[str, ...]
    labels: dict[str, str]
    links: tuple[ProductLink, ...]
    source: Annotated[str, documented(MediaOrigin)]
    temporary: bool
    created_at: UtcTime
    updated_at: UtcTime
    expires_at: UtcTime | None
    archived_at: UtcTime | None
    upload: UploadLink | None = None


class MediaPage(msgspec.Struct, frozen=True):
    """Items of the media library; `next_cursor` is null on the last page."""

    media: list[MediaItem]
    next_cursor: str | None


class FoundMedia(msgspec.Struct, frozen=True):
    """An item that a search has found; `similarity` is at most 1, and of words in the item above 0."""

    similarity: float
    media: MediaItem


class MediaMatches(msgspec.Struct, frozen=True):
    """What a search has found, best first; `next_cursor` is null on the last page."""

    results: list[FoundMedia]
    next_cursor: str | None


class LinkedMedia(msgspec.Struct, frozen=True):
    """The items that were linked, in the order of the request."""

    media_ids: list[str]


def media_item(media: Media, settings: Settings, upload: UploadLink | None = None) -> MediaItem:
    """Return the answer for an item."""
    return MediaItem(
        media_id=media.id,
        kind=media.kind,
        status=media.status,
        problem=media.problem,
        filename=media.file_name,
        description=media.description,
        media_type=media.media_type,
        bytes=media.bytes,
        sha256=media.sha256,
        width=media.width,
        height=media.height,
        duration_seconds=media.duration_seconds,
        url=media_url(media, settings),
        thumbnail_url=preview_url(media, "thumbnail", settings),
        optimized_url=optimized_url(media, settings),
        previews=[
            preview_answer(one, signed_link(settings, media_path(media.id, one.name, one.key.rpartition(".")[2])))
            for one in media.previews
        ],
        public_url=public_media_url(media, settings),
        job_id=media.job_id,
        output_number=media.output_number,
        prompt=media.prompt,
        model=media.model,
        seed=media.seed,
        transcript=media.transcript,
        tags=media.tags,
        labels=media.labels,
        links=media.links,
        source=media.source,
        temporary=media.temporary,
        created_at=media.created_at,
        updated_at=media.updated_at,
        expires_at=media.expires_at,
        archived_at=media.archived_at,
        upload=upload,
    )


def media_url(media: Media, settings: Settings) -> str | None:
    """Return the stable link of an item's file; None until it is there."""
    if media.status != "ready":
        return None
    return signed_link(settings, media_path(media.id, ORIGINAL, media.extension))


def preview_url(media: Media, name: str, settings: Settings) -> str | None:
    """Return the stable link of one of an item's previews; None where it has none of this name."""
    for one in media.previews:
        if one.name == name:
            return signed_link(settings, media_path(media.id, name, one.key.rpartition(".")[2]))
    return None


def optimized_url(media: Media, settings: Settings) -> str | None:
    """Return the link of the copy of an item that a page should show; None where there is none."""
    web = preview_url(media, "web", settings)
    is_small = 0 < max(media.width or 0, media.height or 0) <= WEB_SIDE
    return web or (media_url(media, settings) if is_small and media.media_type in WEB_PICTURES else None)


def public_media_url(media: Media, settings: Settings) -> str | None:
    """Return the public link of an item; None unless it is published."""
    return None if media.public_token is None else public_link(settings, f"/p/{media.public_token}")


def media_path(media_id: str, name: str, extension: str) -> str:
    """Return the path of the stable link of an item's file, or of a preview."""
    return f"/m/{media_id}/{name}.{extension}"
