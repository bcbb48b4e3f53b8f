"""Files in the bodies of requests: the whole body, or a field of a form (RFC 7578), written to disk as they arrive."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
from litestar import Request
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from api.http.body_budget import write_to_file
from core.errors.fields import InvalidRequest, MissingField, UnknownField
from core.errors.http import BodyTooLarge
from core.errors.inputs import InputUnreadable
from core.errors.unavailable import StorageUnavailable
from core.settings import Settings
from jobs.media_types import HEAD

FORM = "multipart/form-data"
FIELD = "file"
"""The field of a form that has the file."""
ENVELOPE = 16_384
"""Bytes that a form may have beside its file: boundaries, headers, and what curl and browsers put before them."""
MOST_TEXTS, LONGEST_TEXT = 64, 16_384
"""Fields of a form beside its file, and bytes of all of them together."""
LONGEST_LINE = 200
"""Bytes of the first line of a form: its boundary has at most 70 characters (RFC 2046)."""
EMPTY = "The file is empty; check what is sent: with curl it is `-F file=@photo.jpg` or `--data-binary @photo.jpg`."


class ReceivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has arrived on this machine.

    `head` are its first `HEAD` bytes; the rest is what its sender says of it, and the texts beside it in a form, by
    field.
    """

    path: Path
    size: int
    head: bytes
    filename: str | None = None
    content_type: str | None = None
    texts: dict[str, list[str]] = {}


def has_body(request: Request[Any, Any, Any]) -> bool:
    """Return whether the head of a request announces a body."""
    return request.headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in request.headers


@asynccontextmanager
async def received_file(
    request: Request[Any, Any, Any],
    settings: Settings,
    limit: int,
    *,
    texts: Collection[str] = (),
    by_first_line: bool = False,
) -> AsyncIterator[ReceivedFile]:
    """Yield the file of a request, which is in `ATELIER_SCRATCH_DIR` until the block ends.

    The Content-Type says whether the file is the whole body or in a form. With `by_first_line` it is in a form whatever
    that says, and the first line is the boundary. `texts` are the fields that a form may have beside the file. Raises
    `InputUnreadable` for an empty file, `StorageUnavailable`, what `receive_body` raises, and for a form the precise
    `InvalidRequest`.
    """
    try:
        async with anyio.NamedTemporaryFile(prefix="atelier-upload-", dir=settings.scratch_dir or None) as file:
            name, options = request.content_type
            form: _Form | None = None
            if by_first_line or name.lower() == FORM:
                _begin(request, limit + ENVELOPE, limit)
                boundary, chunks = options.get("boundary", ""), request.stream()
                if by_first_line:
                    boundary, chunks = await _boundary_of(chunks)
                form = _Form(boundary, texts)
                size = await _write(form.file_of(chunks), file, limit)
            else:
                size = await receive_body(request, file, limit)
            if not size:
                raise InputUnreadable(EMPTY)
            await file.seek(0)
            yield ReceivedFile(
                path=Path(str(file.name)),
                size=size,
                head=await file.read(HEAD),
                filename=form.filename if form else None,
                content_type=form.content_type if form else name,
                texts=form.texts if form else {},
            )
    except OSError as error:
        raise StorageUnavailable(f"Not enough space to receive the file: {error.strerror}.") from error


async def receive_body(request: Request[Any, Any, Any], file: anyio.AsyncFile[bytes], limit: int) -> int:
    """Write the body to `file` and return its size. Raises `BodyTooLarge` once it has more than `limit` bytes."""
    _begin(request, limit, limit)
    return await _write(request.stream(), file, limit)


def _begin(request: Request[Any, Any, Any], most: int, limit: int) -> None:
    """Choose the budget of files for a body that is about to be read. Raises `BodyTooLarge`."""
    write_to_file(request.scope)
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


async def _boundary_of(chunks: AsyncIterator[bytes]) -> tuple[str, AsyncGenerator[bytes]]:
    """Return the boundary of a form, which is its first line, and the form from its beginning."""
    head = b""
    while b"\r\n" not in head and len(head) <= LONGEST_LINE and (chunk := await anext(chunks, None)) is not None:
        head += bytes(chunk)
    line, _, _ = head.partition(b"\r\n")
    if not line.startswith(b"--") or len(line) > LONGEST_LINE:
        raise InvalidRequest(f"The body is not a form; send multipart/form-data with one field, `{FIELD}`.")
    return line[2:].decode("latin-1"), _again(head, chunks)


async def _again(head: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
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
