"""POST /upload/image/v1: a picture in a form, kept in the media library, and the link that later calls name it by.

The client sends the form under `Content-Type: application/json`, so its first bytes decide. As an input of a call here
the link of an item, or of an output of a job, stands for what it leads to, which need not be fetched.
"""

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency

from api.http.auth import Caller, needs
from api.http.received_file import received_file
from api.http.strict_json import StrictRequest
from api.operations.media_library import MediaLibrary
from core.ids import is_id
from core.settings import Settings
from jobs.media import OUTPUT, PREFIX
from jobs.media_types import expect
from jobs.params.media import media_of, with_sources
from jobs.params.registry import AnyParams
from jobs.wire.links import public_link, signed_link
from jobs.wire.media import ORIGINAL, media_path


class UploadedImage(msgspec.Struct, frozen=True):
    """An uploaded picture: `content_type` is what its content says."""

    url: str
    filename: str
    content_type: str
    size_bytes: int


class UploadRoutes(Controller):
    """The route of uploads."""

    path = "/upload/image/v1"
    opt = needs("media")

    @post(status_code=201)
    async def create(
        self,
        request: StrictRequest,
        caller: NamedDependency[Caller],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
    ) -> UploadedImage:
        """Store the picture of the form."""
        request.check_encoding()
        async with received_file(request, settings, settings.input_max_bytes, by_first_line=True) as received:
            media_type = expect(received.head, "image", field="$.file")
            media = await media_library.store_file(
                caller,
                received.path,
                filename=received.filename or None,
                content_type=received.content_type or None,
            )
        link = signed_link(settings, media_path(media.id, ORIGINAL, media.extension))
        return UploadedImage(link, media.file_name, media_type, received.size)


def with_own_media(params: AnyParams, settings: Settings) -> AnyParams:
    """Return the parameters with the name of the item or of the output in place of each link to one."""
    sources = {medium.name: own_medium(medium.source, settings) for medium in media_of(params)}
    known = {name: source for name, source in sources.items() if source is not None}
    return with_sources(params, known) if known else params


def own_medium(link: str, settings: Settings) -> str | None:
    """Return `med_…` for the link of an item's file, `output:<job>/<number>` for one of an output; else None."""
    base = public_link(settings, "/")
    if not link.startswith(base):
        return None
    kind, _, rest = link.removeprefix(base).partition("?")[0].partition("/")
    owner, _, name = rest.partition("/")
    stem = name.partition(".")[0]
    if kind == "m" and is_id(PREFIX, owner) and stem == ORIGINAL:
        return owner
    return f"{OUTPUT}{owner}/{stem}" if kind == "o" and is_id("job", owner) and stem.isdecimal() else None
