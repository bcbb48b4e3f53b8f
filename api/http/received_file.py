"""Files in the bodies of requests: the whole body, or a field of a form (RFC 7578), written to disk as they arrive."""

from collections.abc import AsyncIterator, Collection
from typing import Any

import anyio
import msgspec
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
MOST_TEXTS, LONGEST_TEXT = 64, 16_384
"""Fields of a form beside its file, and bytes of all of them together."""


class ReceivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has arrived: its size, what its sender says of it, and the texts beside it in a form, by field."""

    size: int
    filename: str | None = None
    content_type: str | None = None
    texts: dict[str, list[str]] = {}


LONGEST_LINE = 200
"""Bytes of the first line of a form: its boundary has at most 70 characters (RFC 2046)."""


def has_body(request: Request[Any, Any, Any]) -> bool:
    """Return whether the head of a request announces a body."""
    return request.headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in request.headers


async def receive_file(
    request: Request[Any, Any, Any], file: anyio.AsyncFile[bytes], limit: int, *, texts: Collection[str] = ()
) -> ReceivedFile:
    """Write the file of a request to `file`; the Content-Type says whether it is in a form.

    `texts` are the fields that the form may have beside the file. Raises what `receive_body` raises, and for a form the
    precise `InvalidRequest`.
    """
    name, options = request.content_type
    if name.lower() != FORM:
        return ReceivedFile(size=await receive_body(request, file, limit), content_type=name)
    _check_length(request, limit + ENVELOPE, limit)
    form = _Form(options.get("boundary", ""), texts)
    size = await _write(form.file_of(request.stream()), file, limit)
    return ReceivedFile(size=size, filename=form.filename, content_type=form.content_type, texts=form.texts)


async def receive_form(request: Request[Any, Any, Any], file: anyio.AsyncFile[bytes], limit: int) -> ReceivedFile:
    """Write the file of a form to `file`, whatever Content-Type the form has: its first line is its boundary.

    Raises what `receive_body` raises, and the precise `InvalidRequest`.
    """
    _check_length(request, limit + ENVELOPE, limit)
    chunks, head = request.stream(), b""
    while b"\r\n" not in head and len(head) <= LONGEST_LINE and (chunk := await anext(chunks, None)) is not None:
        head += bytes(chunk)
    line, _, _ = head.partition(b"\r\n")
    if not line.startswith(b"--") or len(line) > LONGEST_LINE:
        raise InvalidRequest(f"The body is not a form; send multipart/form-data with one field, `{FIELD}`.")
    form = _Form(line[2:].decode("latin-1"), ())
    size = await _write(form.file_of(_again(head, chunks)), file, limit)
    return ReceivedFile(size=size, filename=form.filename, content_type=form.content_type)


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


async def _again(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk


class _Form:
    """Reads a form whose only file is one of its fields."""

    def __init__(self, boundary: str, texts: Collection[str]) -> None:
        self.texts: dict[str, list[str]] = {}
        self.filename: str | None = None
        self.content_type: str | None = None
        self._boundary = boundary
        self._allowed = texts
        self._text = bytearray()
        self._left = LONGEST_TEXT

    async def file_of(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the bytes of the file; afterwards the texts are known."""
        field: MultipartSegment | None = None
        files = 0
        most = 2 if not self._allowed else MOST_TEXTS + 2
        try:
            with PushMultipartParser(self._boundary, max_segment_count=most) as parser:
                async for chunk in chunks:
                    for event in parser.parse(bytes(chunk)) if chunk else ():
                        if isinstance(event, MultipartSegment):
                            field, files = event, files + (event.name == FIELD)
                            self._begin(event, files)
                        elif field is not None and field.name != FIELD:
                            self._read_text(field.name or "", event)
                        elif event:
                            yield bytes(event)
        except MultipartError as error:
            raise InvalidRequest(
                f"The form cannot be read ({error}); send multipart/form-data with its boundary and the file in the "
                f"field `{FIELD}`."
            ) from None
        if not files:
            raise MissingField(f"`{FIELD}` is required; add it to the form, with the file.", field=f"$.{FIELD}")

    def _begin(self, field: MultipartSegment, files: int) -> None:
        """Raise the precise `InvalidRequest` for any field but the file, once, and the texts."""
        name = (field.name or "")[:80]
        if name == FIELD and files > 1:
            raise InvalidRequest(f"`{FIELD}` is there twice; send one file in a request.", field=f"$.{FIELD}")
        if name == FIELD:
            self.filename, self.content_type = field.filename, field.content_type
        elif name not in self._allowed:
            also = f", beside {', '.join(f'`{text}`' for text in self._allowed)}" if self._allowed else ""
            raise UnknownField(
                f"Unknown field `{name}`; the form has one field with the file{also}: did you mean `{FIELD}`?",
                field=f"$.{name}",
            )

    def _read_text(self, name: str, event: bytearray | memoryview | bytes | None) -> None:
        """Add a piece of a text, or end it."""
        if event is not None:
            self._left -= len(event)
            if self._left < 0:
                raise InvalidRequest(f"The texts of the form have more than {LONGEST_TEXT} bytes; send shorter ones.")
            self._text += event
            return
        try:
            self.texts.setdefault(name, []).append(self._text.decode())
        except UnicodeDecodeError:
            raise InvalidRequest(f"`{name}` is not UTF-8; send it as UTF-8.", field=f"$.{name}") from None
        self._text.clear()
