"""/media/v1: the media library, with every output of your jobs and every file that you brought."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from api.http.auth import Caller, needs
from api.http.received_file import has_body
from api.http.strict_json import BODY_ERRORS, StrictRequest, is_json
from api.openapi.documents import error_responses
from api.operations.label_filter import LabelFilter, read_labels
from api.operations.media_files import MediaChanges, MediaFacts
from api.operations.media_library import MediaLibrary
from api.search.vectors import VectorSearch
from core.errors.access import Forbidden
from core.errors.conflicts import MediaNotReady
from core.errors.fields import ForbiddenUrl, InvalidRequest, MissingField, NotThisModel, NulInText
from core.errors.inputs import InputTooLarge, InputUnreadable, MediaTypeMismatch, UnknownInput, UnsupportedMedia
from core.errors.limits import BudgetExhausted, LibraryFull, TooManyJobs
from core.errors.unavailable import NoModelAvailable, StorageUnavailable, VectorUnavailable
from core.errors.unknown import MalformedId, UnknownMedia
from core.settings import Settings
from jobs.media import LibraryKind
from jobs.params.base import Url
from jobs.statements.media.library import Sort
from jobs.wire.media import FoundMedia, MediaItem, MediaMatches, MediaPage, UploadLink, media_item

UPLOAD_ERRORS = (
    *BODY_ERRORS,
    *(NulInText, ForbiddenUrl, UnsupportedMedia, MediaTypeMismatch, InputUnreadable, InputTooLarge),
    *(LibraryFull, StorageUnavailable),
)
SEARCH_ERRORS = (
    *(InvalidRequest, MissingField, NulInText, NotThisModel, Forbidden, UnknownMedia, UnknownInput, ForbiddenUrl),
    *(UnsupportedMedia, InputUnreadable, InputTooLarge, BudgetExhausted, TooManyJobs),
    *(NoModelAvailable, VectorUnavailable, StorageUnavailable),
)
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Items on a page.")]
TagFilter = Annotated[
    list[str] | None,
    QueryParameter(name="tag", description="Only items with this tag; several times for all of several."),
]
Words = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=500,
        description='Words that are in the prompt, description, name, tags or transcript; also "two words", or, -not.',
    ),
]
Near = Annotated[
    str | None,
    QueryParameter(
        min_length=1, max_length=500, description="Or words for what is in the items: those with the nearest vectors."
    ),
]
SimilarTo = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=4096,
        description="Or a picture: a `media_id`, `output:<job_id>/<number>`, an `input_id` or a URL.",
    ),
]


class NewMedia(MediaFacts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that is still to be sent, or to be fetched from a URL."""

    url: Annotated[Url, Meta(description="Fetch the file from this public http(s) URL.")] | None = None
    bytes: (
        Annotated[int, Meta(ge=1, description="The most that the file will have: what it counts until it is there.")]
        | None
    ) = None


class LibraryUploadRoutes(Controller):
    """The route that brings files, whose body may be one."""

    path = "/media/v1"
    tags = ("Media",)
    opt = needs("media")

    @post(
        status_code=201,
        responses=error_responses(*UPLOAD_ERRORS),
        response_description="The item; `upload` says where to send its file, unless that came with the request.",
        summary="Bring a file to the media library",
    )
    async def create(
        self,
        request: StrictRequest,
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> MediaItem:
        """Store the file in the body, fetch it from a `url`, or return a link to PUT it to.

        The file is the whole body, or the field `file` of a form; the other fields of the form are those of the JSON
        body. Its content must be what its content type says. Without a file the body is JSON, or there is none.
        """
        request.check_encoding()
        if has_body(request) and not is_json(request.content_type[0]):
            return media_item(await media_library.store_body(caller, request), settings)
        new = await request.read_json(NewMedia, settings.body_limit) if has_body(request) else NewMedia()
        said: dict[str, Any] = msgspec.structs.asdict(new)
        url = said.pop("url")
        if url is not None:
            return media_item(await media_library.import_url(caller, url, **said), settings)
        media, link = await media_library.open_upload(caller, **said)
        expires_at = datetime.now(UTC) + timedelta(seconds=settings.link_seconds)
        upload = UploadLink(url=link, expires_at=expires_at, max_bytes=media.bytes or settings.library_file_bytes)
        return media_item(media, settings, upload)


class LibraryRoutes(Controller):
    """Routes that list, find, show, change, publish and delete items."""

    path = "/media/v1"
    tags = ("Media",)
    opt = needs("media")

    @get(responses=error_responses(InvalidRequest, NulInText), summary="Your media")
    async def index(
        self,
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
        limit: Limit = 20,
        cursor: FromQuery[str | None] = None,
        kind: FromQuery[LibraryKind | None] = None,
        tags: TagFilter = None,
        label: LabelFilter = None,
        product_id: FromQuery[str | None] = None,
        variant_id: FromQuery[str | None] = None,
        sort: FromQuery[Sort] = "newest",
        temporary: FromQuery[bool] = False,
    ) -> MediaPage:
        """Return items, newest first unless `sort` says otherwise. Pass `next_cursor` as `cursor` for the next page."""
        found, next_cursor = await media_library.page(
            caller,
            kind=kind,
            tags=tags or (),
            labels=read_labels(label),
            product_id=product_id,
            variant_id=variant_id,
            limit=limit,
            sort=sort,
            cursor=cursor,
            include_temporary=temporary,
        )
        return MediaPage([media_item(media, settings) for media in found], next_cursor)

    @get("/search", responses=error_responses(*SEARCH_ERRORS), summary="Search your media")
    async def search(
        self,
        request: StrictRequest,
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        vector_search: NamedDependency[VectorSearch],
        settings: NamedDependency[Settings],
        q: Words = None,
        near: Near = None,
        similar_to: SimilarTo = None,
        limit: Limit = 20,
        cursor: FromQuery[str | None] = None,
        kind: FromQuery[LibraryKind | None] = None,
    ) -> MediaMatches:
        """Return the items with the words `q`, best first; of very many the newest thousand are ranked.

        With `near` or `similar_to` instead, return those of the newest 50,000 with a vector that are most like the
        words or the picture. A vector that is to be made for that is made by a job, for which the request waits. There
        is one page.
        """
        _check_question(q, near, similar_to, cursor)
        next_cursor = None
        if near is not None:
            found = await vector_search.near(request, near, limit, kind=kind)
        elif similar_to is not None:
            found = await vector_search.similar(request, similar_to, limit, kind=kind)
        else:
            found, next_cursor = await media_library.search_page(caller, q or "", limit, kind=kind, cursor=cursor)
        return MediaMatches(
            [FoundMedia(similarity, media_item(media, settings)) for similarity, media in found], next_cursor
        )

    @get("/{media_id:str}", responses=error_responses(MalformedId, UnknownMedia), summary="One item")
    async def show(
        self,
        media_id: FromPath[str],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> MediaItem:
        """Return the item as it is now."""
        return media_item(await media_library.find(caller, media_id), settings)

    @patch(
        "/{media_id:str}",
        responses=error_responses(*BODY_ERRORS, NulInText, MalformedId, UnknownMedia),
        summary="Change an item",
    )
    async def change(
        self,
        media_id: FromPath[str],
        data: JSONBody[MediaChanges],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> MediaItem:
        """Replace the name, the description, the tags or the labels; what is left out stays."""
        return media_item(await media_library.update(caller, media_id, **data.values()), settings)

    @delete("/{media_id:str}", responses=error_responses(MalformedId, UnknownMedia), summary="Delete an item")
    async def remove(
        self, media_id: FromPath[str], caller: NamedDependency[Caller], media_library: NamedDependency[MediaLibrary]
    ) -> None:
        """Delete the item, its file, its previews and its links; it answers 404 from then on."""
        await media_library.remove(caller, media_id)

    @post(
        "/{media_id:str}/archive",
        status_code=200,
        responses=error_responses(MalformedId, UnknownMedia),
        summary="Archive an item",
    )
    async def archive(
        self,
        media_id: FromPath[str],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> MediaItem:
        """Take the item out of lists and searches; its id and its links go on to work."""
        return media_item(await media_library.archive(caller, media_id), settings)

    @post(
        "/{media_id:str}/publish",
        status_code=200,
        responses=error_responses(MalformedId, UnknownMedia, MediaNotReady),
        summary="Publish an item",
    )
    async def publish(
        self,
        media_id: FromPath[str],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> MediaItem:
        """Give the item a `public_url` that anyone may open, or keep the one that it has."""
        return media_item(await media_library.publish(caller, media_id), settings)

    @post(
        "/{media_id:str}/unpublish",
        status_code=200,
        responses=error_responses(MalformedId, UnknownMedia),
        summary="Take back an item's public link",
    )
    async def unpublish(
        self,
        media_id: FromPath[str],
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> MediaItem:
        """Take the `public_url` away: it answers 404 from then on."""
        return media_item(await media_library.unpublish(caller, media_id), settings)


def _check_question(q: str | None, near: str | None, similar_to: str | None, cursor: str | None) -> None:
    """Raise `MissingField` for none of the three, and `InvalidRequest` for two, or a cursor with a vector."""
    given = [name for name, value in (("q", q), ("near", near), ("similar_to", similar_to)) if value is not None]
    if not given:
        raise MissingField("`q`, `near` or `similar_to` is required; add one of them.", field="query.q")
    if len(given) > 1:
        raise InvalidRequest(
            f"`{given[0]}` and `{given[1]}` exclude each other; remove one.", field=f"query.{given[1]}"
        )
    if cursor and q is None:
        raise InvalidRequest(
            f"`{given[0]}` has one page; remove `cursor`, and ask for more by `limit`.", field="query.cursor"
        )
