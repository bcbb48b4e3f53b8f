"""/files/<key>: objects of the directory store, by links that it signed. With S3 these routes are unused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import anyio
from litestar import Controller, Response, put, route
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter, SkipValidation
from litestar.response import Stream

from api.http.auth import NO_SECURITY, PUBLIC
from api.http.problems import problem
from api.http.received_file import receive_body
from api.http.strict_json import StrictRequest
from api.native.jobs.byte_ranges import ByteRange, parse_range
from api.openapi.documents import error_responses, extra_response
from core.errors.access import BadSignature
from core.errors.fields import WrongType
from core.errors.http import BadRange, BodyTooLarge, UnknownRoute, UnsupportedEncoding
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.settings import Settings
from core.storage.directory import DirectoryStore
from core.storage.disposition import disposition
from core.storage.store import Store

CHUNK = 256 * 1024
SAFE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""A browser shows an output by its media type and runs nothing in it; other sites may embed it."""


class FileRoutes(Controller):
    """Routes of downloads and of uploads, for a service without S3."""

    path = "/files"
    tags = ("Downloads",)
    opt = PUBLIC
    security = NO_SECURITY

    @route(
        "/{key:path}",
        http_method=["GET", "HEAD"],
        responses=extra_response(206, "The part that `Range` selects.")
        | extra_response(304, "The client already has it (`If-None-Match`).")
        | error_responses(BadSignature, UnknownOutput, WrongType, BadRange, key=False),
        response_description="The bytes, with the media type in the link.",
        summary="An object of the directory store",
    )
    async def download(
        self,
        request: StrictRequest,
        key: FromPath[str],
        store: NamedDependency[SkipValidation[Store]],
        media_type: Annotated[str, QueryParameter(name="type", description="As in the link.")] = "",
        name: FromQuery[str] = "",
        expires: FromQuery[int] = 0,
        signature: FromQuery[str] = "",
        name_signature: FromQuery[str] = "",
    ) -> Response[Any]:
        """Return the bytes, whole or in part (`Range`)."""
        if not isinstance(store, DirectoryStore):
            raise UnknownRoute
        file = store.open_link(
            key.lstrip("/"),
            media_type=media_type,
            expires=expires,
            signature=signature,
            name=name,
            name_signature=name_signature,
        )
        return await _send(request, file, media_type, name)

    @put(
        "/{key:path}",
        status_code=204,
        request_max_body_size=None,
        responses=error_responses(
            BadSignature, BodyTooLarge, UnsupportedEncoding, WrongType, StorageUnavailable, key=False
        ),
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
        """Store the body as the file of a link from `POST /inputs/v1`; an incomplete body is not stored."""
        if not isinstance(store, DirectoryStore):
            raise UnknownRoute
        request.check_encoding()
        name = key.lstrip("/")
        store.check_upload(name, expires=expires, signature=signature)
        try:
            async with anyio.NamedTemporaryFile(prefix="atelier-upload-", dir=settings.scratch_dir or None) as file:
                await receive_body(request, file, _limit(name, settings))
                await asyncio.to_thread(store.put, name, Path(str(file.name)), "application/octet-stream")
        except OSError as error:
            raise StorageUnavailable(f"Not enough space to receive the file: {error.strerror}.") from error


def _limit(key: str, settings: Settings) -> int:
    """Return how large an upload may be: an item of the media library, or an input."""
    is_item = key.split("/")[1:2] == ["media"]
    return settings.library_file_bytes if is_item else settings.input_max_bytes


async def _send(request: StrictRequest, file: Path, media_type: str, name: str) -> Response[Any]:
    size = (await anyio.Path(file).stat()).st_size
    tag = f'"{file.stem}"'  # the name is the content's sha256
    headers = SAFE_HEADERS | {
        "Content-Disposition": disposition(name),
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=3600, immutable",
    }
    known = {offered.strip().removeprefix("W/") for offered in request.headers.get("If-None-Match", "").split(",")}
    if known & {tag, "*"}:
        return Response(None, status_code=304, headers=headers)
    try:
        requested = _requested_range(request, tag, size)
    except BadRange as error:
        return problem(request, error, {"Content-Range": f"bytes */{size}"})
    byte_range = requested or ByteRange(0, size - 1)
    headers["Content-Length"] = str(byte_range.length)
    if requested:
        # Also for the whole file: browsers send `bytes=0-` to learn whether they can seek in a video.
        headers["Content-Range"] = f"bytes {byte_range.first}-{byte_range.last}/{size}"
    body = _read(file, byte_range) if request.method == "GET" else _empty_body()
    return Stream(body, status_code=206 if requested else 200, headers=headers, media_type=media_type)


def _requested_range(request: StrictRequest, tag: str, size: int) -> ByteRange | None:
    """Return the range of the request; None for the whole file, also when If-Range names another version."""
    if request.method != "GET" or request.headers.get("If-Range", tag) != tag:
        return None
    return parse_range(request.headers.get("Range"), size)


async def _read(file: Path, byte_range: ByteRange) -> AsyncIterator[bytes]:
    async with await anyio.open_file(file, "rb") as source:
        await source.seek(byte_range.first)
        left = byte_range.length
        while left > 0 and (chunk := await source.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


async def _empty_body() -> AsyncIterator[bytes]:
    for nothing in list[bytes]():
        yield nothing
