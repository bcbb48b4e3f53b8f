"""POST /inputs/v1: a file that jobs then name by its id, sent at once, or to a link that the answer has."""

import asyncio
from datetime import UTC, datetime, timedelta

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from api.http.auth import Caller, needs
from api.http.database import Database
from api.http.received_file import has_body, received_file
from api.http.strict_json import StrictRequest, is_json
from api.openapi.documents import error_responses
from core.errors.fields import InvalidRequest, MissingField, UnknownField
from core.errors.http import BodyTooLarge, UnsupportedEncoding, UnsupportedType
from core.errors.inputs import InputUnreadable, UnsupportedMedia
from core.errors.limits import TooManyBodies, TooManyUploads
from core.errors.unavailable import Overloaded, StorageUnavailable
from core.ids import new_id
from core.settings import Settings
from core.storage.store import Store
from jobs.media_types import expect_any
from jobs.statements.media.uploads import forget_upload, measured, open_upload
from jobs.wire.uploads import StoredUpload, Upload

NOTHING, MOST_OF_NOTHING = (b"", b"{}", b"null"), 64
"""Bodies that say nothing, which some clients send with every POST, and the most bytes of one."""
NOT_A_FILE = (
    "The body is JSON, which is not a file of media; send the file itself as the whole body or as the field `file` of "
    "a form, or send no body and PUT the file to the `upload_url` of the answer."
)
ERRORS = (
    *(TooManyUploads, UnsupportedType, UnsupportedEncoding, BodyTooLarge, TooManyBodies, Overloaded),
    *(InvalidRequest, MissingField, UnknownField, UnsupportedMedia, InputUnreadable, StorageUnavailable),
)


class InputRoutes(Controller):
    """The route for files of the caller."""

    path = "/inputs/v1"
    tags = ("Generate",)
    opt = needs("media")

    @post(
        status_code=201,
        responses=error_responses(*ERRORS),
        response_description="The file is there (`uploaded`), or there is a link to PUT it to.",
        summary="Upload an input",
    )
    async def create(
        self,
        request: StrictRequest,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
    ) -> Upload | StoredUpload:
        """Store the file in the body, or without a body return a link to PUT it to.

        The file is the whole body, or the field `file` of a form. It is decoded when a job names it, and kept for some
        days.
        """
        sends_file = await _sends_file(request)
        input_id = new_id("inp")
        key = f"{caller.tenant}/inputs/{input_id}"
        limits = {"max_uploads": settings.max_uploads, "max_bytes": settings.max_upload_bytes}
        opened = open_upload(input_id, caller.tenant, key, **limits, bytes_each=settings.input_max_bytes)
        if await database.row(opened) is None:
            raise TooManyUploads(
                f"You have reached your limit of {settings.max_uploads} uploads or {settings.max_upload_bytes} bytes. "
                f"{TooManyUploads.advice}"
            )
        if not sends_file:
            link = await asyncio.to_thread(store.upload_link, key, seconds=settings.link_seconds)
            expires_at = datetime.now(UTC) + timedelta(seconds=settings.link_seconds)
            return Upload(input_id=input_id, upload_url=link, expires_at=expires_at, max_bytes=settings.input_max_bytes)
        try:
            media_type, size = await _store_body(request, store, key, settings)
        except Exception:
            await database.transaction(lambda connection: connection.execute(forget_upload(input_id)))
            raise
        await database.transaction(lambda connection: connection.execute(measured(input_id, size)))
        return StoredUpload(input_id=input_id, media_type=media_type, bytes=size, max_bytes=settings.input_max_bytes)


async def _sends_file(request: StrictRequest) -> bool:
    """Return whether the body is a file; JSON without a field is taken for no body. Raises `UnsupportedType`."""
    if not has_body(request):
        return False
    request.check_encoding()
    if not is_json(request.content_type[0]):
        return True
    if (request.content_length or 0) > MOST_OF_NOTHING or (await request.body()).strip() not in NOTHING:
        raise UnsupportedType(NOT_A_FILE)
    return False


async def _store_body(request: StrictRequest, store: Store, key: str, settings: Settings) -> tuple[str, int]:
    """Store the file in the body under `key`, and return its media type, judged by its content, and its size."""
    async with received_file(request, settings, settings.input_max_bytes) as received:
        media_type = expect_any(received.head)
        await asyncio.to_thread(store.put, key, received.path, media_type)
        return media_type, received.size
