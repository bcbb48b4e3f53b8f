"""/o/<job>/<n>.<ext>: the stable link of an output, which redirects to a new link of the object store."""

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
from core.errors.unknown import OutputExpired, UnknownOutput
from core.ids import check_id
from core.settings import Settings
from core.signing import check_link
from core.storage.store import Store
from jobs.job import Artifact, Job, job_from_row
from jobs.previews import Preview
from jobs.statements.queue.tenant_jobs import by_id
from jobs.wire.status import output_path, preview_path

Signature = Annotated[str, QueryParameter(description="As in the link.")]


class OutputRoutes(Controller):
    """The route of links that live as long as the output."""

    path = "/o"
    tags = ("Downloads",)
    opt = PUBLIC
    security = NO_SECURITY

    @route(
        "/{job_id:str}/{name:str}",
        http_method=["GET", "HEAD"],
        status_code=302,
        responses=error_responses(
            BadSignature, UnknownOutput, OutputExpired, StorageUnavailable, DatabaseUnavailable, key=False
        ),
        response_description="`Location` is a new link of the object store.",
        summary="An output",
    )
    async def follow(
        self,
        job_id: FromPath[str],
        name: FromPath[str],
        database: NamedDependency[Database],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
        signature: Signature = "",
    ) -> Response[None]:
        """Redirect to the object itself; the new link is valid for an hour."""
        check_link(settings.secret_key, f"/o/{job_id}/{name}", signature)
        row = await database.row(by_id(check_id("job", job_id)))
        if row is None:
            raise UnknownOutput
        found = _find_output(job_from_row(row), name)
        chosen = found.metadata.get("name") if isinstance(found, Artifact) else None
        link = await asyncio.to_thread(
            store.link,
            found.key,
            seconds=settings.link_seconds,
            media_type=found.media_type,
            name=chosen or f"{job_id}-{name}",
        )
        return Response(
            None, media_type=MediaType.TEXT, status_code=302, headers={"Location": link, "Cache-Control": "no-store"}
        )


def _find_output(job: Job, name: str) -> Artifact | Preview:
    """Return the output or the preview whose stable link ends in `name`.

    Raises `OutputExpired` or `UnknownOutput`.
    """
    if job.outputs_removed_at is not None:
        raise OutputExpired
    path = f"/o/{job.id}/{name}"
    for number, artifact in enumerate(job.artifacts):
        found: Artifact | Preview | None = None
        if output_path(job.id, number, artifact.key.rpartition(".")[2]) == path:
            found = artifact
        for preview in artifact.previews:
            found = preview if preview_path(job.id, number, preview) == path else found
        if found is not None and artifact.metadata.get("removed"):
            raise OutputExpired("This output was deleted from the media library; submit the job again to make it anew.")
        if found is not None:
            return found
    raise UnknownOutput
