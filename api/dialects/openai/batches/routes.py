"""OpenAI's routes of files and batches."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, MediaType, Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from api.dialects.openai.batches.operations import OpenAIBatches, OpenAIFiles
from api.dialects.openai.batches.schema import (
    NewBatch,
    NewFile,
    OpenAIBatch,
    OpenAIFile,
    Purpose,
    batch_answer,
    file_answer,
)
from api.dialects.openai.forms import received_form
from api.dialects.openai.lists import Limit, Order, list_of
from api.dialects.openai.requests import attempt_of, hash_of
from api.dialects.openai.routes import BASE
from api.http.auth import Caller, needs
from api.http.dependencies import provide
from api.http.query_parameters import IGNORES_QUERY
from api.http.strict_json import StrictRequest
from core.settings import Settings


class OpenAIFileRoutes(Controller):
    """Routes of files."""

    path = "/files"
    opt = needs("media")

    @post(status_code=200, request_max_body_size=None)
    async def create(
        self,
        request: StrictRequest,
        openai_files: NamedDependency[OpenAIFiles],
        settings: NamedDependency[Settings],
    ) -> OpenAIFile:
        """Store the file of a form."""
        async with received_form(request, settings, settings.library_file_bytes) as form:
            asked = form.read(NewFile)
            form.check_files("file")
            return file_answer(await openai_files.add(request.user, form.files_of("file")[0], asked))

    @get()
    async def index(
        self,
        caller: NamedDependency[Caller],
        openai_files: NamedDependency[OpenAIFiles],
        limit: Limit = 100,
        after: FromQuery[str | None] = None,
        order: FromQuery[Order] = "desc",
        purpose: FromQuery[Purpose | None] = None,
    ) -> dict[str, Any]:
        """List files, the newest first."""
        page = await openai_files.page(
            caller, limit=limit + 1, purpose=purpose, after=after, oldest_first=order == "asc"
        )
        return list_of(page, limit, file_answer)

    @get("/{file:str}")
    async def show(
        self, file: FromPath[str], caller: NamedDependency[Caller], openai_files: NamedDependency[OpenAIFiles]
    ) -> OpenAIFile:
        """Return a file."""
        return file_answer(await openai_files.find(caller, file))

    @get("/{file:str}/content", status_code=302)
    async def download(
        self, file: FromPath[str], caller: NamedDependency[Caller], openai_files: NamedDependency[OpenAIFiles]
    ) -> Response[None]:
        """Redirect to the content of a file."""
        link = await openai_files.link(await openai_files.find(caller, file))
        return Response(
            None, media_type=MediaType.TEXT, status_code=302, headers={"Location": link, "Cache-Control": "no-store"}
        )

    @delete("/{file:str}", status_code=200)
    async def remove(
        self, file: FromPath[str], caller: NamedDependency[Caller], openai_files: NamedDependency[OpenAIFiles]
    ) -> dict[str, Any]:
        """Delete a file."""
        await openai_files.remove(caller, file)
        return {"id": file, "object": "file", "deleted": True}


class OpenAIBatchRoutes(Controller):
    """Routes of batches."""

    path = "/batches"
    opt = needs("jobs")

    @post(status_code=200)
    async def create(
        self, request: StrictRequest, data: JSONBody[NewBatch], openai_batches: NamedDependency[OpenAIBatches]
    ) -> OpenAIBatch:
        """Make a batch of the lines of a file."""
        body = await hash_of(request)
        return batch_answer(await openai_batches.create(request.user, data, body, repeats=attempt_of(request) > 0))

    @get()
    async def index(
        self,
        caller: NamedDependency[Caller],
        openai_batches: NamedDependency[OpenAIBatches],
        limit: Limit = 20,
        after: FromQuery[str | None] = None,
    ) -> dict[str, Any]:
        """List batches, the newest first."""
        return list_of(await openai_batches.page(caller, limit=limit + 1, after=after), limit, batch_answer)

    @get("/{batch:str}")
    async def show(
        self, batch: FromPath[str], caller: NamedDependency[Caller], openai_batches: NamedDependency[OpenAIBatches]
    ) -> OpenAIBatch:
        """Return a batch as it is now."""
        return batch_answer(await openai_batches.find(caller, batch))

    @post("/{batch:str}/cancel", status_code=200)
    async def cancel(
        self, batch: FromPath[str], caller: NamedDependency[Caller], openai_batches: NamedDependency[OpenAIBatches]
    ) -> OpenAIBatch:
        """Have a batch cancelled."""
        return batch_answer(await openai_batches.cancel(caller, batch))


def batch_routers(openai_files: OpenAIFiles, openai_batches: OpenAIBatches) -> Sequence[Router]:
    """Return the routers: of batches also on the plain path, of files not, which is another service's there."""
    shared = provide(openai_files=openai_files, openai_batches=openai_batches)
    return [
        Router(
            f"{base}/v1",
            route_handlers=handlers,
            dependencies=shared,
            opt=IGNORES_QUERY,
            include_in_schema=bool(base),
        )
        for base, handlers in ((BASE, [OpenAIFileRoutes, OpenAIBatchRoutes]), ("", [OpenAIBatchRoutes]))
    ]
