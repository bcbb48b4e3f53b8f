"""Files in the bodies of requests: the whole body, or a field of a form (RFC 7578), written to disk as they arrive."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
from litestar import Request
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from core.errors.fields import InvalidRequest, MissingField, UnknownField
from core.errors.http import BodyTooLarge

FORM = "multipart/form-data"
FIELD = "file"
"""The field of a form that has the file."""
ENVELOPE = 16_384
"""Bytes that a form may have beside its file: boundaries, headers, and what curl and browsers put before them."""


def has_body(request: Request[Any, Any, Any]) -> bool:
    """Return whether the head of a request announces a body."""
    return request.headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in request.headers


async def receive_file(request: Request[Any, Any, Any], file: anyio.AsyncFile[bytes], limit: int) -> int:
    """Write the file of a request to `file` and return its size; the Content-Type says whether it is in a form.

    Raises what `receive_body` raises, and for a form the precise `InvalidRequest`.
    """
    name, options = request.content_type
    if name.lower() != FORM:
        return await receive_body(request, file, limit)
    _check_length(request, limit + ENVELOPE, limit)
    return await _write(_file_of(request, options.get("boundary", "")), file, limit)


async def receive_body(request: Request[Any, Any, Any], file: anyio.AsyncFile[bytes], limit: int) -> int:
    """Write the body to `file` and return its size. Raises `BodyTooLarge` once it has more than `limit` bytes."""
    _check_length(request, limit, limit)
    return await _write(request.stream(), file, limit)


def _check_length(request: Request[Any, Any, Any], most: int, limit: int) -> None:
    if (request.content_length or 0) > most:
        raise BodyTooLarge(f"Send at most {limit} bytes.")


async def _write(chunks: AsyncIterator[bytes], file: anyio.AsyncFile[bytes], limit: int) -> int:
    size = 0
    try:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise RequestEntityTooLarge
            await file.write(chunk)
    except RequestEntityTooLarge:  # or of the framework, beyond the limit of the route
        raise BodyTooLarge(f"Send at most {limit} bytes.") from None
    await file.flush()
    return size


async def _file_of(request: Request[Any, Any, Any], boundary: str) -> AsyncIterator[bytes]:
    """Yield the bytes of the only field of a form, which is the file."""
    fields = 0
    try:
        with PushMultipartParser(boundary, max_segment_count=2) as parser:
            async for chunk in request.stream():
                for event in parser.parse(bytes(chunk)) if chunk else ():
                    if isinstance(event, MultipartSegment):
                        fields += 1
                        _check_field(event, fields)
                    elif event:
                        yield bytes(event)
    except MultipartError as error:
        raise InvalidRequest(
            f"The form cannot be read ({error}); send multipart/form-data with its boundary and one field, `{FIELD}`."
        ) from None
    if not fields:
        raise MissingField(f"`{FIELD}` is required; add it to the form, with the file.", field=f"$.{FIELD}")


def _check_field(field: MultipartSegment, number: int) -> None:
    """Raise the precise `InvalidRequest` for any field but the first one of the right name."""
    name = (field.name or "")[:80]
    if name != FIELD:
        raise UnknownField(
            f"Unknown field `{name}`; the form has one field, the file: did you mean `{FIELD}`?", field=f"$.{name}"
        )
    if number > 1:
        raise InvalidRequest(f"`{FIELD}` is there twice; send one file in a request.", field=f"$.{FIELD}")
