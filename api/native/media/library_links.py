"""Routes that link items of the media library to products of the caller's shop, one or many at once."""

from typing import Annotated

import msgspec
from litestar import Controller, delete, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from api.http.auth import Caller, needs
from api.http.strict_json import BODY_ERRORS
from api.openapi.documents import error_responses
from api.operations.media_library import MediaLibrary
from core.errors.fields import InvalidRequest, MissingField, NulInText
from core.errors.unknown import MalformedId, UnknownMedia
from core.settings import Settings
from jobs.wire.media import LinkedMedia, MediaItem, media_item

ShopId = Annotated[
    str, Meta(min_length=1, max_length=200, description="An id of your shop; the service knows nothing of it.")
]
Place = Annotated[int, Meta(ge=0, le=1_000_000, description="The place among the media of the product.")]
ERRORS = (*BODY_ERRORS, MissingField, NulInText, MalformedId, UnknownMedia)


class NewProductLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product that an item is linked to, a variant of it, or a variant alone."""

    product_id: ShopId | None = None
    variant_id: ShopId | None = None
    position: Place = 0


class PlacedMedia(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item, and its place among the media of a product."""

    media_id: Annotated[str, Meta(max_length=100, description="An item of GET /media/v1.")]
    position: Place = 0


class NewProductLinks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Items that are linked to one product, to a variant of it, or to a variant alone."""

    product_id: ShopId | None = None
    variant_id: ShopId | None = None
    media: Annotated[tuple[PlacedMedia, ...], Meta(min_length=1, max_length=100, description="The items.")]


class LibraryLinkRoutes(Controller):
    """Routes of links."""

    path = "/media/v1"
    tags = ("Media",)
    opt = needs("media")

    @post("/{media_id:str}/link", status_code=200, responses=error_responses(*ERRORS), summary="Link an item")
    async def link(
        self,
        media_id: FromPath[str],
        data: JSONBody[NewProductLink],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> MediaItem:
        """Link the item to a product, a variant of it, or a variant alone; a link that is there gets the position."""
        media = await media_library.link(caller, media_id, data.product_id, data.variant_id, data.position)
        return media_item(media, settings)

    @post("/link", status_code=200, responses=error_responses(*ERRORS), summary="Link several items")
    async def link_many(
        self,
        data: JSONBody[NewProductLinks],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
    ) -> LinkedMedia:
        """Link items to one product, to a variant of it, or to a variant alone: all of them, or none."""
        positions = {one.media_id: one.position for one in data.media}
        await media_library.link_many(caller, data.product_id, data.variant_id, positions)
        return LinkedMedia(list(positions))

    @delete(
        "/{media_id:str}/link",
        status_code=200,
        responses=error_responses(InvalidRequest, MissingField, NulInText, MalformedId, UnknownMedia),
        summary="Unlink an item",
    )
    async def unlink(
        self,
        media_id: FromPath[str],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
        product_id: FromQuery[str | None] = None,
        variant_id: FromQuery[str | None] = None,
    ) -> MediaItem:
        """Remove the link of the item that was made with the same `product_id` and `variant_id`, if there is one."""
        return media_item(await media_library.unlink(caller, media_id, product_id, variant_id), settings)
