"""Forms with several files (RFC 7578): each file is written to a folder as it arrives, the texts stay in memory."""

import hashlib
from pathlib import Path
from typing import Any

import anyio
import msgspec
from litestar import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from api.http.received_file import FORM, LONGEST_TEXT, MOST_TEXTS
from core.errors.fields import InvalidRequest
from core.errors.http import BodyTooLarge, UnsupportedType

MOST_FILES = 17
"""Sixteen pictures and a mask."""
NOT_A_FORM = "This route takes a form; send multipart/form-data."


class FormFile(msgspec.Struct, frozen=True):
    """A file of a form, on this machine: the name of its field, and what its sender says of it."""

    field: str
    path: Path
    size: int
    filename: str | None = None


class FormParts(msgspec.Struct, frozen=True):
    """The parts of a form. `digest` is a hash of all of them that does not depend on the boundary between them."""

    texts: dict[str, list[str]]
    files: list[FormFile]
    digest: str


async def receive_parts(request: Request[Any, Any, Any], folder: Path, limit: int) -> FormParts:
    """Return the parts of a form, its files in `folder`; all of them together may have `limit` bytes.

    Raises `UnsupportedType`, `BodyTooLarge` and the precise `InvalidRequest`.
    """
    name, options = request.content_type
    if name.lower() != FORM:
        raise UnsupportedType(NOT_A_FORM)
    form = _Parts(folder, limit)
    try:
        with PushMultipartParser(options.get("boundary", ""), max_segment_count=MOST_TEXTS + MOST_FILES) as parser:
            async for chunk in request.stream():
                for event in parser.parse(bytes(chunk)) if chunk else ():
                    await form.add(event)
    except MultipartError as error:
        raise InvalidRequest(
            f"The form cannot be read ({error}); send multipart/form-data with its boundary."
        ) from None
    finally:
        await form.close()
    return FormParts(form.texts, form.files, form.hash.hexdigest())


class _Parts:
    """What has arrived of a form."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.texts: dict[str, list[str]] = {}
        self.files: list[FormFile] = []
        self.hash = hashlib.sha256()
        self._folder = folder
        self._limit = limit
        self._left, self._text_left = limit, LONGEST_TEXT
        self._segment: MultipartSegment | None = None
        self._text = bytearray()
        self._file: anyio.AsyncFile[bytes] | None = None
        self._size = 0

    async def add(self, event: MultipartSegment | bytearray | memoryview | bytes | None) -> None:
        """Add the head of a part, a piece of it, or its end, which is None."""
        if isinstance(event, MultipartSegment):
            self._segment, self._size = event, 0
            self._text.clear()
            self.hash.update(f"\0{event.name}\0{event.filename or ''}\0".encode())
            if event.filename is not None:
                self._file = await anyio.open_file(self._folder / str(len(self.files)), "wb")
        elif event is not None:
            await self._add_piece(bytes(event))
        elif self._segment is not None:
            await self._end(self._segment)

    async def close(self) -> None:
        """Close the file of a part that has not ended."""
        if self._file is not None:
            await self._file.aclose()
            self._file = None

    async def _add_piece(self, piece: bytes) -> None:
        self.hash.update(piece)
        self._size += len(piece)
        if self._file is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise BodyTooLarge(f"The files of a form may have {self._limit} bytes together; send smaller ones.")
            await self._file.write(piece)
            return
        self._text_left -= len(piece)
        if self._text_left < 0:
            raise InvalidRequest(f"The texts of the form have more than {LONGEST_TEXT} bytes; send shorter ones.")
        self._text += piece

    async def _end(self, segment: MultipartSegment) -> None:
        name = (segment.name or "")[:80]
        self.hash.update(f"\0{self._size}".encode())
        if self._file is not None:
            await self.close()
            path = self._folder / str(len(self.files))
            self.files.append(FormFile(name, path, self._size, segment.filename))
            return
        try:
            self.texts.setdefault(name, []).append(self._text.decode())
        except UnicodeDecodeError:
            raise InvalidRequest(f"`{name}` is not UTF-8; send it as UTF-8.", field=f"$.{name}") from None
