"""/m/<item>/<name> and /p/<token>: the files of the media library, by signed links and by public ones."""

import asyncio
from typing import Annotated

from litestar import Controller, MediaType, Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, SkipValidation

from api.http.auth import NO_SECURITY, PUBLIC
from api.http.database import Database
from api.openapi.documents import error_responses
from core.errors.access import BadSignature
from core.errors.unavailable import DatabaseUnavailable, StorageUnavailable
from core.errors.unknown import UnknownMedia, UnknownOutput
from core.ids import check_id
from core.settings import Settings
from core.signing import check_link
from core.storage.store import Store
from jobs.media import PREFIX, Media, media_from_row
from jobs.statements.media.library import by_id, by_public_token
from jobs.wire.media import ORIGINAL, media_path

LONGEST_TOKEN = 64
Signature = Annotated[str, QueryParameter(description="As in the link.")]
ERRORS = (UnknownMedia, UnknownOutput, StorageUnavailable, DatabaseUnavailable)


class LibraryFileRoutes(Controller):
    """Routes of links that live as long as the item, or as long as it is published."""

    path = "/"
    tags = ("Downloads",)
    opt = PUBLIC
    security = NO_SECURITY

    @route(
        "/m/{media_id:str}/{name:str}",
        http_method=["GET", "HEAD"],
        status_code=302,
        responses=error_responses(BadSignature, *ERRORS, key=False),
        response_description="`Location` is a new link of the object store.",
        summary="A file of the media library",
    )
    async def follow(
        self,
        media_id: FromPath[str],
        name: FromPath[str],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
        signature: Signature = "",
    ) -> Response[None]:
        """Redirect to the file of an item or to one of its previews; the new link is valid for an hour."""
        check_link(settings.secret_key, f"/m/{media_id}/{name}", signature)
        row = await database.row(by_id(check_id(PREFIX, media_id)))
        if row is None:
            raise UnknownMedia
        media = media_from_row(row)
        for own in (
            (ORIGINAL, media.key, media.media_type),
            *((one.name, one.key, one.media_type) for one in media.previews),
        ):
            if media_path(media_id, own[0], _extension(media, own[1])) == f"/m/{media_id}/{name}":
                return await redirect(store, settings, media, own[1], own[2] or "", own[0])
        raise UnknownOutput

    @route(
        "/p/{token:str}",
        http_method=["GET", "HEAD"],
        status_code=302,
        responses=error_responses(*ERRORS, key=False),
        response_description="`Location` is a new link of the object store.",
        summary="A published item",
    )
    async def follow_public(
        self,
        token: FromPath[str],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
    ) -> Response[None]:
        """Redirect to the file of an item, as long as it is published."""
        media = await find_published(database, token)
        return await redirect(store, settings, media, media.key, media.media_type or "", ORIGINAL)


async def find_published(database: Database, token: str) -> Media:
    """Return the item that is published under a token. Raises `UnknownMedia`."""
    usable = token.isascii() and len(token) <= LONGEST_TOKEN and "\0" not in token
    row = await database.row(by_public_token(token)) if usable else None
    if row is None:
        raise UnknownMedia("Nothing is published under this link; ask for a new one where you got it.")
    return media_from_row(row)


def _extension(media: Media, key: str) -> str:
    return media.extension if key == media.key else key.rpartition(".")[2]


async def redirect(
    store: Store, settings: Settings, media: Media, key: str, media_type: str, which: str
) -> Response[None]:
    """Return the redirect to an object of an item: to its file, or to the preview `which`. Raises `UnknownOutput`."""
    if media.status != "ready":
        raise UnknownOutput("The file of this item is not there; read the item's `status`.")
    name = media.file_name if which == ORIGINAL else f"{media.id}-{which}.{key.rpartition('.')[2]}"
    link = await asyncio.to_thread(store.link, key, seconds=settings.link_seconds, media_type=media_type, name=name)
    return Response(
        None, media_type=MediaType.TEXT, status_code=302, headers={"Location": link, "Cache-Control": "no-store"}
    )
