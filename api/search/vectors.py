"""Search in the media library by vectors: for words or a picture a job makes one, an item may have its own."""

import asyncio
from functools import partial

import msgspec

from api.follow.notifier import Notifier
from api.http.auth import Caller
from api.http.database import Database
from api.http.strict_json import StrictRequest
from api.operations.job_control import remove_job
from api.operations.server_commands import ServerCommands
from api.submit.endpoint import SubmitEndpoint
from core.errors.fields import InvalidRequest, NotThisModel
from core.errors.inputs import InputTooLarge, InputUnreadable, UnsupportedMedia
from core.errors.unavailable import NoModelAvailable, VectorUnavailable
from core.errors.unknown import UnknownMedia
from core.ids import is_id
from core.storage.store import Store
from jobs.job import Job, JobStatus
from jobs.media import PREFIX, Media, media_from_row, parse_output
from jobs.params.requests.origin import LIBRARY, Origin
from jobs.params.text import EmbeddingParams
from jobs.statements.media import library, library_search
from jobs.statements.queue.submit import served_models
from pipelines.catalog.loader import Catalog, ModelSpec

RANKING_SECONDS = 15.0
"""How long the comparison of 50,000 vectors may take: some seconds without pgvector."""
OF_PICTURE: dict[str, type[InvalidRequest]] = {
    error.code: error for error in (InputUnreadable, InputTooLarge, UnsupportedMedia)
}
"""What a job may find wrong with the picture, by code."""
NO_MODEL = (
    "No running server serves a model of vectors; ask the operator for one, or search for words of the items with `q`."
)


class _Vectors(msgspec.Struct, frozen=True):
    """The file of a job of vectors."""

    vectors: list[list[float]]


class VectorSearch:
    """Finds the items of a caller whose vectors are most like another one, of the model of the newest item's.

    A vector that is to be made first is made by a job of the caller, for which the key needs `jobs:write`; it is
    deleted once its vector is read. Raises `NoModelAvailable` where no server serves the model, `VectorUnavailable`
    where the vector is not there in time, and what a submit raises.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        catalog: Catalog,
        endpoint: SubmitEndpoint,
        notifier: Notifier,
        server_commands: ServerCommands,
    ) -> None:
        self._database = database
        self._store = store
        self._catalog = catalog
        self._endpoint = endpoint
        self._remove = partial(remove_job, database=database, notifier=notifier, server_commands=server_commands)

    async def near(
        self, request: StrictRequest, words: str, limit: int, *, kind: str | None = None
    ) -> list[tuple[float, Media]]:
        """Return the items nearest to words, best first, each with the cosine: at most 1."""
        spec, has_vectors = await self._model(request.user)
        if not has_vectors:
            return []
        vector = await self._make(request, EmbeddingParams(texts=(words,), model=spec.id), "query.near")
        return await self._rank(request.user, vector, spec.id, limit, kind)

    async def similar(
        self, request: StrictRequest, source: str, limit: int, *, kind: str | None = None
    ) -> list[tuple[float, Media]]:
        """Return the items nearest to a picture, but for itself: an item, an output, an upload or a URL.

        Raises also `UnknownMedia`, and `NotThisModel` where the vectors are of a model that sees no pictures.
        """
        own = await self._own_vector(request.user, source)
        if own is not None:
            vector, model, media_id = own
            return await self._rank(request.user, vector, model, limit, kind, without=media_id)
        spec, has_vectors = await self._model(request.user)
        if "pictures" not in spec.capabilities:
            raise NotThisModel(
                f"The vectors of your items are of {spec.id}, which sees no pictures; search with `near`, or for "
                "what is like an item that has a vector.",
                field="query.similar_to",
            )
        if not has_vectors:
            return []
        vector = await self._make(request, EmbeddingParams(input_image=source, model=spec.id), "query.similar_to")
        return await self._rank(request.user, vector, spec.id, limit, kind)

    async def _own_vector(self, caller: Caller, source: str) -> tuple[list[float], str, str] | None:
        """Return vector, model and id of the item that a source names; None for another one, or without a vector."""
        media_id, output = source if is_id(PREFIX, source) else None, parse_output(source)
        if output is not None:
            rows = await self._database.rows(library.find_outputs([output[0]], caller.tenant))
            media_id = next((row.id for row in rows if row.output_number == output[1]), None)
        if media_id is None and output is None:
            return None
        found = await self._database.row(library_search.vector_of(media_id or "", caller.tenant))
        if found is None:
            raise UnknownMedia
        return None if found.embedding is None else (found.embedding, found.embedding_model, found.id)

    async def _model(self, caller: Caller) -> tuple[ModelSpec, bool]:
        """Return the model of the caller's newest vector, and True; else the default one, and False."""
        newest = await self._database.row(library_search.newest_vector(caller.tenant))
        served = {row[0] for row in await self._database.rows(served_models(caller.tenant))}
        able = [spec for spec in self._catalog.of("embedding") if spec.id in served]
        if newest is None and able:
            return max(able, key=lambda spec: "pictures" in spec.capabilities), False
        if newest is None:
            raise NoModelAvailable(NO_MODEL)
        for spec in able:
            if spec.id == newest.model:
                return spec, True
        raise NoModelAvailable(
            f"No running server serves {newest.model}, of which the vectors of your items are; try again later, or "
            "search for words of the items with `q`."
        )

    async def _make(self, request: StrictRequest, params: EmbeddingParams, field: str) -> list[float]:
        """Return the vector that a job makes of these parameters."""
        request.user.require("jobs:write")
        seconds = self._endpoint.settings.sync_seconds
        try:
            submitted, view = await self._endpoint.submit_and_wait(
                request, params, seconds, origin=Origin(dialect=LIBRARY), cancels=True
            )
        except InvalidRequest as error:
            raise type(error)(error.detail, field=field) from None
        try:
            return await self._read(view.job, field)
        finally:
            await self._remove(submitted.job.id, submitted.job.tenant)

    async def _read(self, job: Job, field: str) -> list[float]:
        if job.error is not None and job.error.code in OF_PICTURE:
            raise OF_PICTURE[job.error.code](job.error.message, field=field)
        if job.status is not JobStatus.COMPLETED or not job.artifacts:
            raise VectorUnavailable(
                None if job.error is None else f"{job.error.message} Search with `q`, or try again later."
            )
        content = await asyncio.to_thread(self._store.head, job.artifacts[0].key, job.artifacts[0].bytes)
        return msgspec.json.decode(content, type=_Vectors).vectors[0]

    async def _rank(
        self, caller: Caller, vector: list[float], model: str, limit: int, kind: str | None, without: str | None = None
    ) -> list[tuple[float, Media]]:
        extension = await self._database.row(library_search.has_pgvector())
        ranked = library_search.nearest_media(
            caller.tenant,
            vector,
            model,
            limit=limit,
            kind=kind,
            without=without,
            pgvector=bool(extension and extension.there),
        )
        rows = await self._database.rows(ranked, seconds=RANKING_SECONDS)
        return [(float(row.similarity), media_from_row(row)) for row in rows]
