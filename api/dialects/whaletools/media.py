"""WhaleTools' routes of the media library."""

import asyncio
import binascii
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.dialects.whaletools.media_schema import (
    SORTS,
    NewItem,
    NewItemLink,
    NewItemLinks,
    ShopLink,
    SortWord,
    TypeWord,
    WhaleMedia,
    WhaleMediaList,
    shop_link,
    whale_media,
)
from api.http.auth import Caller, needs
from api.http.pagination import encode_cursor
from api.http.strict_json import StrictRequest, is_json
from api.operations.media_library import MediaLibrary
from core.errors.fields import InvalidRequest, MissingField
from core.errors.inputs import InputUnreadable
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownMedia
from core.settings import Settings
from jobs.statements.media.library import Sort

NO_FILE = "Send the file as the field `file` of a form, or in JSON as base64 in `file`, or a `url` to fetch it from."
NO_TARGET = "`product_id` or `variant_id` is required; add one."
OPPOSITE: dict[Sort, Sort] = {"newest": "oldest", "oldest": "newest"}

Limit = Annotated[int, QueryParameter(ge=1, le=100)]
TagList = Annotated[list[str] | None, QueryParameter(name="tags")]
TypeFilter = Annotated[TypeWord | None, QueryParameter(name="type")]


class WhaleUploadRoutes(Controller):
    """The route that stores an item; its body may be as large as a file of the library."""

    path = "/"
    opt = needs("media")

    @post(status_code=201)
    async def upload(
        self,
        request: StrictRequest,
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> WhaleMedia:
        """Store the file of a form, or the one that a JSON body has or names."""
        if not is_json(request.content_type[0]):
            return whale_media(await media_library.store_body(caller, request), settings)
        new = await request.read_json(NewItem, settings.media_body_limit)
        said: dict[str, Any] = {name: getattr(new, name) for name in ("filename", "content_type", "tags")}
        if new.url is not None and new.file is None:
            return whale_media(await media_library.import_url(caller, new.url, **said), settings)
        if new.file is None or new.url is not None:
            raise MissingField(NO_FILE, field="$.file")
        with tempfile.NamedTemporaryFile(prefix="atelier-media-", dir=settings.scratch_dir or None) as file:
            await asyncio.to_thread(_write, new.file, Path(file.name))
            return whale_media(await media_library.store_file(caller, Path(file.name), **said), settings)


class WhaleMediaRoutes(Controller):
    """Routes that list, show, link and remove items."""

    path = "/"
    opt = needs("media")

    @get()
    async def index(
        self,
        request: StrictRequest,
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
        type_: TypeFilter = None,
        tags: TagList = None,
        limit: Limit = 25,
        sort: FromQuery[SortWord] = "created_at:desc",
        starting_after: FromQuery[str | None] = None,
        ending_before: FromQuery[str | None] = None,
    ) -> WhaleMediaList:
        """List items, newest first unless `sort` says otherwise."""
        order, backwards = SORTS[sort], ending_before is not None
        if backwards and (starting_after is not None or order not in OPPOSITE):
            raise InvalidRequest("`ending_before` goes with `created_at` and without `starting_after`.")
        way = OPPOSITE[order] if backwards else order
        edge, cursor = ending_before if backwards else starting_after, None
        if edge is not None:
            last = await media_library.find(caller, edge)
            cursor = encode_cursor((way, last.updated_at if way == "updated" else last.created_at, last.id))
        found, following = await media_library.page(
            caller,
            kind=type_,
            tags=[tag for text in tags or () for tag in text.split(",") if tag.strip()],
            limit=limit,
            sort=way,
            cursor=cursor,
        )
        shown = [whale_media(media, settings) for media in found]
        return WhaleMediaList(
            data=shown[::-1] if backwards else shown, has_more=following is not None, url=request.scope["path"]
        )

    @post("/link", status_code=200)
    async def link_many(
        self,
        data: JSONBody[NewItemLinks],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
    ) -> list[ShopLink]:
        """Link items, each to its product or variant: all of them, or none."""
        there = await media_library.find_many(caller, [link.media_id or "" for link in data.links])
        for link in data.links:
            if link.media_id is None or (link.product_id is None and link.variant_id is None):
                raise MissingField("Each of `links` has a `media_id`, and a `product_id` or a `variant_id`.")
            if link.media_id not in there:
                raise UnknownMedia(f"No item of this key is called {link.media_id[:80]!r}. {UnknownMedia.advice}")
        return [await _link(media_library, caller, link.media_id or "", link) for link in data.links]

    @get("/{media_id:str}")
    async def show(
        self,
        media_id: FromPath[str],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> WhaleMedia:
        """Show an item."""
        return whale_media(await media_library.find(caller, media_id), settings)

    @delete("/{media_id:str}")
    async def remove(
        self, media_id: FromPath[str], caller: NamedDependency[Caller], media_library: NamedDependency[MediaLibrary]
    ) -> None:
        """Remove an item with its file, its previews and its links."""
        await media_library.remove(caller, media_id)

    @post("/{media_id:str}/link", status_code=200)
    async def link(
        self,
        media_id: FromPath[str],
        data: JSONBody[NewItemLink],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
    ) -> ShopLink:
        """Link an item to a product or a variant."""
        if data.product_id is None and data.variant_id is None:
            raise MissingField(NO_TARGET, field="$.product_id")
        return await _link(media_library, caller, media_id, data)


async def _link(library: MediaLibrary, caller: Caller, media_id: str, link: NewItemLink) -> ShopLink:
    await library.link(caller, media_id, link.product_id, link.variant_id, link.position)
    return shop_link(media_id, link.product_id, link.variant_id, link.position)


def _write(text: str, path: Path) -> None:
    """Write the bytes of base64 to a file. Raises `InputUnreadable`, and `StorageUnavailable` on a full disk."""
    content = _decoded(text)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StorageUnavailable(f"Not enough space to receive the file: {error.strerror}.") from error


def _decoded(text: str) -> bytes:
    """Return the bytes of base64, or of a `data:` URL in base64. Raises `InputUnreadable`."""
    try:
        return b64decode(text.partition(";base64,")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        raise InputUnreadable("`file` is not base64; encode the file, or send it in a form.", field="$.file") from None
