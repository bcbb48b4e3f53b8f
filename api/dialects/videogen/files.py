"""Files: the media library in VideoGen's shape."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from api.dialects.videogen.ids import to_native
from api.dialects.videogen.paging import Limit
from api.http.auth import Caller, needs
from api.http.database import Database
from api.operations.media_library import MediaLibrary
from core.errors.fields import MissingField
from core.settings import Settings
from jobs.job import JobError
from jobs.media import LibraryKind, Media
from jobs.params.base import Url
from jobs.statements.groups import makers
from jobs.wire.dialects.videogen import VideoGenError, error_of, made_by
from jobs.wire.dialects.videogen_files import VideoGenFile, file_id, file_of

PREFIX, IMPORT = "vg_file", "vg_impt"
FileType = Literal["IMAGE", "VIDEO", "AUDIO", "PDF", "SLIDESHOW", "TEXT", "LOTTIE"]
KIND_OF: Mapping[str, LibraryKind] = {"IMAGE": "image", "VIDEO": "video", "AUDIO": "audio"}
"""The kinds of the types that a caller may promise; of others the content decides."""
IMPORTS: Mapping[str, str] = {"waiting": "running", "ready": "succeeded", "failed": "failed"}


class NewUpload(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A file to come."""

    display_name: Annotated[str, Meta(min_length=1, max_length=255)]
    type: FileType | None = None
    is_temporary: bool | None = False
    transcript: Any = None


class UploadAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Where the bytes of a new file go, by PUT and without a key."""

    file_id: str
    upload_url: str


class NewImport(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A file to fetch; VideoGen does not document what it calls the URL."""

    url: Url | None = None
    file_url: Url | None = None
    source_url: Url | None = None
    display_name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    is_temporary: bool | None = False


class ImportAccepted(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to an import: poll it until it has ended."""

    file_import_id: str


class FileImport(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An import; `fileId` is known from the beginning."""

    file_import_id: str
    status: str
    file_id: str
    file: VideoGenFile
    error: VideoGenError | None


class Search(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What to look for."""

    query: Annotated[str, Meta(min_length=1, max_length=1000)]
    num_results: Annotated[int, Meta(ge=1, le=100)] = 10


class FilePage(msgspec.Struct, frozen=True, rename="camel"):
    """Files, those that changed last first."""

    files: list[VideoGenFile]
    has_more: bool
    next_cursor: str | None


class FoundFile(msgspec.Struct, frozen=True):
    """A file that a search has found; `similarity` is at most 1."""

    similarity: float
    file: VideoGenFile


class FoundFiles(msgspec.Struct, frozen=True):
    """What a search has found, best first."""

    results: list[FoundFile]


class FileAnswers:
    """Answers with items of the library as files; the executions that made them are read together."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def one(self, caller: Caller, media: Media) -> VideoGenFile:
        """Return the file that an item is."""
        return (await self.many(caller, [media]))[0]

    async def many(self, caller: Caller, items: Sequence[Media]) -> list[VideoGenFile]:
        """Return the files that items are."""
        job_ids = {media.job_id for media in items if media.job_id is not None}
        rows = await self._database.rows(makers(job_ids, caller.tenant)) if job_ids else ()
        makers_of = {row.id: made_by(row) for row in rows}
        return [file_of(media, self._settings, makers_of.get(media.job_id or "")) for media in items]


class VideoGenFileRoutes(Controller):
    """Routes of files."""

    path = "/files"
    opt = needs("media")

    @get()
    async def index(
        self,
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        file_answers: NamedDependency[FileAnswers],
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> FilePage:
        """Return your files, but for temporary ones."""
        page, following = await media_library.page(caller, limit=limit, sort="updated", cursor=cursor)
        return FilePage(await file_answers.many(caller, page), following is not None, following)

    @post("/search", status_code=200)
    async def search(
        self,
        data: JSONBody[Search],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        file_answers: NamedDependency[FileAnswers],
    ) -> FoundFiles:
        """Return the files with these words in prompt, description, name, tags or transcript."""
        found = await media_library.search(caller, data.query, data.num_results)
        files = await file_answers.many(caller, [media for _, media in found])
        scores = [min(max(score, 0.0), 1.0) for score, _ in found]
        return FoundFiles([FoundFile(score, file) for score, file in zip(scores, files, strict=True)])

    @post("/upload", status_code=200)
    async def upload(
        self,
        data: JSONBody[NewUpload],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
    ) -> UploadAnswer:
        """Open an upload: PUT the bytes to `uploadUrl`, then hydrate the file until a source is ready."""
        media, url = await media_library.open_upload(
            caller,
            filename=data.display_name,
            kind=KIND_OF.get(data.type or ""),
            temporary=bool(data.is_temporary),
            transcript=data.transcript,
        )
        return UploadAnswer(file_id(media.id), url)

    @post("/import-url", status_code=202)
    async def import_url(
        self,
        data: JSONBody[NewImport],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
    ) -> ImportAccepted:
        """Have a file fetched from a URL."""
        url = data.url or data.file_url or data.source_url
        if url is None:
            raise MissingField("`url` is required; add it.", field="$.url")
        named: dict[str, Any] = {} if data.display_name is None else {"filename": data.display_name}
        media = await media_library.import_url(caller, url, temporary=bool(data.is_temporary), **named)
        return ImportAccepted(file_id(media.id).replace(PREFIX, IMPORT))

    @get("/imports/{file_import:str}")
    async def show_import(
        self,
        file_import: FromPath[str],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        file_answers: NamedDependency[FileAnswers],
    ) -> FileImport:
        """Return an import as it is now."""
        media = await media_library.find(caller, to_native(IMPORT, file_import))
        failed = media.problem or JobError("input_unreachable", "The file did not come.")
        return FileImport(
            file_import_id=file_import,
            status=IMPORTS[media.status],
            file_id=file_id(media.id),
            file=await file_answers.one(caller, media),
            error=error_of(failed, "file_failed") if media.status == "failed" else None,
        )

    @get("/{file:str}")
    async def show(
        self,
        file: FromPath[str],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        file_answers: NamedDependency[FileAnswers],
    ) -> VideoGenFile:
        """Return a file."""
        return await file_answers.one(caller, await media_library.find(caller, to_native(PREFIX, file)))


FileAction = Callable[[MediaLibrary, Caller, str], Awaitable[Media]]
ACTIONS: Mapping[str, tuple[FileAction, str]] = {
    "hydrate": (
        MediaLibrary.find,
        "Return a file with fresh links; its sources are pending until its bytes have come and were looked at.",
    ),
    "archive": (MediaLibrary.archive, "Take a file out of lists and searches."),
    "enable-public-preview": (
        MediaLibrary.publish,
        "Give a file a link that anyone may open, until it is disabled.",
    ),
    "disable-public-preview": (MediaLibrary.unpublish, "Take the public link away."),
}
"""What is done to a file, and its description, by the last segment of its path; each is answered with the file."""


def file_action_routes() -> list[HTTPRouteHandler]:
    """Return the routes of `ACTIONS`."""
    return [_action_route(name, act, description) for name, (act, description) in ACTIONS.items()]


def _action_route(name: str, act: FileAction, description: str) -> HTTPRouteHandler:
    @post(f"/files/{{file:str}}/{name}", status_code=200, opt=needs("media"), description=description)
    async def do(
        file: FromPath[str],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        file_answers: NamedDependency[FileAnswers],
    ) -> VideoGenFile:
        return await file_answers.one(caller, await act(media_library, caller, to_native(PREFIX, file)))

    return do
