"""POST /upload/image/v1: a picture in a form, and the link that later calls name it by.

The client sends the form under `Content-Type: application/json`, so its first bytes decide. The link downloads the
picture; as an input of a call here it stands for the upload itself, which need not be fetched.
"""

import asyncio
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

import anyio
import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, SkipValidation

from api.http.auth import PUBLIC, Caller
from api.http.database import Database
from api.http.received_file import receive_form
from api.http.strict_json import StrictRequest
from core.errors.inputs import InputUnreadable
from core.errors.limits import TooManyUploads
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.ids import check_id, is_id, new_id
from core.settings import Settings
from core.signing import check_link, sign_link
from core.storage.store import Store
from jobs.media_types import HEAD, expect
from jobs.params.media import media_of, with_sources
from jobs.params.registry import AnyParams
from jobs.statements.media.uploads import find_upload, forget_upload, measured, open_upload
from jobs.wire.links import public_link, public_path

FOLDER = "/imagepipeline/upload/image/v1/files"
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class UploadedImage(msgspec.Struct, frozen=True):
    """An uploaded picture: `content_type` is what its content says."""

    url: str
    filename: str
    content_type: str
    size_bytes: int


class UploadRoutes(Controller):
    """The routes of uploads and their links."""

    path = "/upload/image/v1"

    @post(status_code=201)
    async def create(
        self,
        request: StrictRequest,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
    ) -> UploadedImage:
        """Store the picture of the form."""
        request.check_encoding()
        input_id = new_id("inp")
        key = f"{caller.tenant}/inputs/{input_id}"
        limits = {"max_uploads": settings.max_uploads, "max_bytes": settings.max_upload_bytes}
        opened = open_upload(input_id, caller.tenant, key, **limits, bytes_each=settings.input_max_bytes)
        if await database.row(opened) is None:
            raise TooManyUploads
        try:
            name, media_type, size = await _store(request, store, key, settings)
        except Exception:
            await database.transaction(lambda connection: connection.execute(forget_upload(input_id)))
            raise
        await database.transaction(lambda connection: connection.execute(measured(input_id, size)))
        link = f"{FOLDER}/{input_id}/{quote(_NAME.sub('-', name)[-80:] or 'image')}"
        signature = sign_link(settings.secret_key, link)
        return UploadedImage(public_link(settings, f"{link}?signature={signature}"), name, media_type, size)

    @get("/files/{input_id:str}/{name:str}", opt=PUBLIC, status_code=302)
    async def follow(
        self,
        input_id: FromPath[str],
        name: FromPath[str],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
        signature: Annotated[str, QueryParameter()] = "",
    ) -> Response[None]:
        """Redirect to the picture itself."""
        check_link(settings.secret_key, f"{FOLDER}/{input_id}/{name}", signature)
        row = await database.row(find_upload(check_id("inp", input_id)))
        if row is None:
            raise UnknownOutput
        media_type = expect(await asyncio.to_thread(store.head, row.key, HEAD), "image")
        link = await asyncio.to_thread(
            store.link, row.key, seconds=settings.link_seconds, media_type=media_type, name=name
        )
        return Response(None, status_code=302, headers={"Location": link, "Cache-Control": "no-store"})


def with_upload_ids(params: AnyParams, settings: Settings) -> AnyParams:
    """Return the parameters with the upload's own id in place of each link of an upload."""
    sources = {medium.name: upload_of(medium.source, settings) for medium in media_of(params)}
    known = {name: upload for name, upload in sources.items() if upload is not None}
    return with_sources(params, known) if known else params


def upload_of(source: str, settings: Settings) -> str | None:
    """Return the id of the upload whose link a source is; None for anything else."""
    if not source.startswith(public_link(settings, FOLDER)) or len(source) > 4096:
        return None
    path = urlsplit(source).path.removeprefix(public_path(settings, FOLDER))
    input_id = path.strip("/").split("/")[0]
    return input_id if is_id("inp", input_id) else None


async def _store(request: StrictRequest, store: Store, key: str, settings: Settings) -> tuple[str, str, int]:
    """Store the picture under `key`; returns its name, its media type and its size."""
    try:
        async with anyio.NamedTemporaryFile(prefix="atelier-upload-", dir=settings.scratch_dir or None) as file:
            received = await receive_form(request, file, settings.input_max_bytes)
            if not received.size:
                raise InputUnreadable("The file is empty; send a picture as the field `file` of the form.")
            await file.seek(0)
            media_type = expect(await file.read(HEAD), "image", field="$.file")
            await asyncio.to_thread(store.put, key, Path(str(file.name)), media_type)
    except OSError as error:
        raise StorageUnavailable(f"Not enough space to receive the file: {error.strerror}.") from error
    return received.filename or "image", media_type, received.size
