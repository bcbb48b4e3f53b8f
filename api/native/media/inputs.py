"""POST /inputs/v1: a link to upload a file to, which jobs then name by its id."""

import asyncio
from datetime import UTC, datetime, timedelta

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from api.http.auth import Caller
from api.http.database import Database
from api.openapi.documents import error_responses
from core.errors.limits import TooManyUploads
from core.errors.unavailable import StorageUnavailable
from core.ids import new_id
from core.settings import Settings
from core.storage.store import Store
from jobs.statements.media.uploads import open_upload
from jobs.wire.uploads import Upload


class InputRoutes(Controller):
    """The route for files of the caller."""

    path = "/inputs/v1"
    tags = ("Generate",)

    @post(status_code=201, responses=error_responses(TooManyUploads, StorageUnavailable), summary="Upload an input")
    async def create(
        self,
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
    ) -> Upload:
        """Return a link to PUT one file to. The file is checked when a job names it, and kept for some days."""
        input_id = new_id("inp")
        key = f"{caller.tenant}/inputs/{input_id}"
        limits = {"max_uploads": settings.max_uploads, "max_bytes": settings.max_upload_bytes}
        opened = open_upload(input_id, caller.tenant, key, **limits, bytes_each=settings.input_max_bytes)
        if await database.row(opened) is None:
            raise TooManyUploads(
                f"You have reached your limit of {settings.max_uploads} uploads or {settings.max_upload_bytes} bytes. "
                f"{TooManyUploads.advice}"
            )
        link = await asyncio.to_thread(store.upload_link, key, seconds=settings.link_seconds)
        return Upload(
            input_id=input_id,
            upload_url=link,
            expires_at=datetime.now(UTC) + timedelta(seconds=settings.link_seconds),
            max_bytes=settings.input_max_bytes,
        )
