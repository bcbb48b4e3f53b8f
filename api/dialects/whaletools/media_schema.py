"""Items of the media library in WhaleTools' form, and the bodies about them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from api.operations.media_files import Filename, Tags
from core.settings import Settings
from jobs.media import Media
from jobs.params.base import Url
from jobs.statements.media.library import Sort
from jobs.wire.media import media_url, preview_url
from jobs.wire.values import UtcTime

SORTS: dict[str, Sort] = {
    "created_at": "newest",
    "created_at:desc": "newest",
    "created_at:asc": "oldest",
    "updated_at": "updated",
    "updated_at:desc": "updated",
}
SortWord = Literal["created_at", "created_at:desc", "created_at:asc", "updated_at", "updated_at:desc"]
TypeWord = Literal["image", "video", "audio", "document", "mesh"]
MOST_LINKS = 100

ShopId = Annotated[str, Meta(min_length=1, max_length=200)]
Place = Annotated[int, Meta(ge=0, le=1_000_000)]


class NewItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file as base64 or as a `data:` URL, or the URL that it is fetched from."""

    file: Annotated[str, Meta(min_length=1)] | None = None
    url: Url | None = None
    filename: Filename | None = None
    content_type: Annotated[str, Meta(max_length=255)] | None = None
    tags: Tags = ()


class NewItemLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product or a variant that an item belongs to, and its place there; 0 is the first."""

    product_id: ShopId | None = None
    variant_id: ShopId | None = None
    position: Place = 0
    media_id: Annotated[str, Meta(max_length=100)] | None = None


class NewItemLinks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several links."""

    links: Annotated[tuple[NewItemLink, ...], Meta(min_length=1, max_length=MOST_LINKS)]


class ShopLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link of an item."""

    media_id: str
    product_id: str | None
    variant_id: str | None
    position: int
    object: str = "media_link"


class WhaleMedia(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the library."""

    id: str
    type: str | None
    status: str
    name: str
    filename: str
    mime_type: str | None
    size_bytes: int | None
    url: str | None
    thumbnail_url: str | None
    width: int | None
    height: int | None
    duration_seconds: float | None
    tags: tuple[str, ...]
    prompt: str | None
    model: str | None
    links: list[ShopLink]
    created_at: UtcTime
    updated_at: UtcTime
    object: str = "media"


class WhaleMediaList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of items."""

    data: list[WhaleMedia]
    has_more: bool
    url: str
    object: str = "list"


def whale_media(media: Media, settings: Settings) -> WhaleMedia:
    """Return an item as the dialect shows it."""
    return WhaleMedia(
        id=media.id,
        type=media.kind,
        status=media.status,
        name=media.file_name,
        filename=media.file_name,
        mime_type=media.media_type,
        size_bytes=media.bytes,
        url=media_url(media, settings),
        thumbnail_url=preview_url(media, "thumbnail", settings),
        width=media.width,
        height=media.height,
        duration_seconds=media.duration_seconds,
        tags=media.tags,
        prompt=media.prompt,
        model=media.model,
        links=[shop_link(media.id, **_parts(link)) for link in media.links],
        created_at=media.created_at,
        updated_at=media.updated_at,
    )


def shop_link(media_id: str, product_id: str | None, variant_id: str | None, position: int) -> ShopLink:
    """Return a link; one of a variant alone has no product."""
    return ShopLink(media_id=media_id, product_id=product_id or None, variant_id=variant_id, position=position)


def _parts(link: Any) -> dict[str, Any]:
    return {name: getattr(link, name) for name in ("product_id", "variant_id", "position")}
