"""/files/<key>: objects of the directory store, by links that it signed. With S3 nothing passes through here."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import anyio
from litestar import Controller, Response, put, route
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter, SkipValidation
from litestar.response import Stream

from api.http.auth import ANYBODY, OPEN
from api.http.byte_ranges import Span, parse_range
from api.http.problems import problem
from api.http.strict_json import StrictRequest
from api.openapi.documents import error_responses, extra_response
from core.errors import (
    BadRange,
    BadSignature,
    BodyTooLarge,
    StorageUnavailable,
    UnknownOutput,
    UnknownRoute,
    WrongType,
)
from core.settings import Settings
from core.storage.directory import DirectoryStore
from core.storage.store import Store

CHUNK = 256 * 1024
HARMLESS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""An output is shown as what it is and can run nothing; other sites may embed it."""


class FileRoutes(Controller):
    """Downloads, and uploads of inputs, for one box."""

    path = "/files"
    tags = ("Downloads",)
    opt = OPEN
    security = ANYBODY

    @route(
        "/{key:path}",
        http_method=["GET", "HEAD"],
        responses=extra_response(206, "The part that `Range` names.")
        | extra_response(304, "The client has it already (`If-None-Match`).")
        | error_responses(BadSignature, UnknownOutput, WrongType, BadRange, key=False),
        response_description="The bytes, in the media type that the link names.",
        summary="An object of the directory store",
    )
    async def download(
        self,
        request: StrictRequest,
        key: FromPath[str],
        store: NamedDependency[SkipValidation[Store]],
        media_type: Annotated[str, QueryParameter(name="type", description="As the link has it.")] = "",
        expires: FromQuery[int] = 0,
        signature: FromQuery[str] = "",
    ) -> Response[Any]:
        """The bytes, whole or in part (`Range`)."""
        if not isinstance(store, DirectoryStore):
            raise UnknownRoute
        file = store.open_link(key.lstrip("/"), media_type=media_type, expires=expires, signature=signature)
        return await _send(request, file, media_type)

    @put(
        "/{key:path}",
        status_code=204,
        request_max_body_size=None,
        responses=error_responses(BadSignature, BodyTooLarge, WrongType, StorageUnavailable, key=False),
        response_description="The file is stored; a second PUT replaces it.",
        summary="Upload to the directory store",
    )
    async def upload(
        self,
        request: StrictRequest,
        key: FromPath[str],
        store: NamedDependency[SkipValidation[Store]],
        settings: NamedDependency[Settings],
        expires: FromQuery[int] = 0,
        signature: FromQuery[str] = "",
    ) -> None:
        """Takes the body as the file that `POST /inputs/v1` made the link for; a part of one is never kept."""
        if not isinstance(store, DirectoryStore):
            raise UnknownRoute
        name = key.lstrip("/")
        store.check_upload(name, expires=expires, signature=signature)
        try:
            async with anyio.NamedTemporaryFile(prefix="atelier-upload-", dir=settings.scratch_dir or None) as file:
                await _receive(request, file, settings.input_max_bytes)
                await asyncio.to_thread(store.put, name, Path(str(file.name)), "application/octet-stream")
        except OSError as error:
            raise StorageUnavailable(f"There is no room to receive the file: {error.strerror}.") from error


async def _receive(request: StrictRequest, file: anyio.AsyncFile[bytes], limit: int) -> None:
    """The body into `file`. Raises `BodyTooLarge` once it has more than `limit` bytes."""
    too_large = BodyTooLarge(f"Send at most {limit} bytes.")
    if (request.content_length or 0) > limit:
        raise too_large
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        await file.write(chunk)
    await file.flush()


async def _send(request: StrictRequest, file: Path, media_type: str) -> Response[Any]:
    size = (await anyio.Path(file).stat()).st_size
    tag = f'"{file.stem}"'  # the name is the content's sha256
    headers = HARMLESS | {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=3600, immutable"}
    known = {offered.strip().removeprefix("W/") for offered in request.headers.get("If-None-Match", "").split(",")}
    if known & {tag, "*"}:
        return Response(None, status_code=304, headers=headers)
    try:
        wanted = _wanted(request, tag, size)
    except BadRange as error:
        return problem(request, error, {"Content-Range": f"bytes */{size}"})
    span = wanted or Span(0, size - 1)
    headers["Content-Length"] = str(span.length)
    if wanted:
        # A range that is the whole file too: browsers ask for `bytes=0-` to learn whether they can seek in a film.
        headers["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
    body = _read(file, span) if request.method == "GET" else _nothing()
    return Stream(body, status_code=206 if wanted else 200, headers=headers, media_type=media_type)


def _wanted(request: StrictRequest, tag: str, size: int) -> Span | None:
    """The span that is asked for; none when If-Range says that the client knows another version."""
    if request.method != "GET" or request.headers.get("If-Range", tag) != tag:
        return None
    return parse_range(request.headers.get("Range"), size)


async def _read(file: Path, span: Span) -> AsyncIterator[bytes]:
    async with await anyio.open_file(file, "rb") as source:
        await source.seek(span.first)
        left = span.length
        while left > 0 and (chunk := await source.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    for nothing in list[bytes]():
        yield nothing
