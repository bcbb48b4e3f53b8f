"""Large bodies in a file: their base64 stays there until the media are stored, so that they take next to no memory."""

import hashlib
import mmap
import secrets
import tempfile
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from api.http.msgspec_errors import refusal
from core.errors.fields import InvalidRequest
from core.errors.unavailable import StorageUnavailable
from jobs.params.media import PICTURE, PICTURE_NAMES, media_of, picture_field
from jobs.params.requests.whole_numbers import whole_numbers

PIECE = 1 << 20
"""Bytes that are written at once. A body that is no longer stays in memory."""
MOST_VALUES = 100_000
"""Values in a body, counted by its commas. The length of an array is checked once all of it is decoded; the ten million
entries that fit into a body for media would block the event loop for a second and take half a gigabyte."""
_MARK = b";base64,"
_BEFORE = 200
"""The most bytes of a `data:` URL before its data for which it is looked for."""
_LONG = 64_000
"""Base64 that is shorter is decoded with the rest of the JSON."""

Place = tuple[mmap.mmap, int, int]
"""A content, and where in it something begins and ends."""


class SpooledBody:
    """The body of one request, from its first piece until it is closed.

    The JSON decoder gets it without its long base64. A reference stands for that, which is random, so that no caller
    can write one; `find` returns where it is. Pieces of the same body are added and written one after the other.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._arrived = bytearray()
        self._commas = 0
        self._file: IO[bytes] | None = None
        self._content: mmap.mmap | None = None
        self._references: dict[str, Place] = {}
        self.picture_name: str | None = None

    def add(self, piece: bytes) -> bool:
        """Add the next piece; returns whether it is time to `write`."""
        self._arrived += piece
        return len(self._arrived) >= PIECE

    def write(self) -> None:
        """Move what has arrived into the file. It blocks. Raises `StorageUnavailable` on a full disk."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="atelier-body-", dir=self._folder)  # noqa: SIM115
            self._file.write(self._arrived)
            self._file.flush()
        except OSError as error:
            raise StorageUnavailable(f"Not enough space to read the body: {error.strerror}.") from error
        self._commas += self._arrived.count(b",")
        self._arrived.clear()

    def digest(self, path: str) -> str:
        """Return the digest of the path and the whole body. It blocks."""
        return digest(path, self._whole())

    def decode(self, type_: Any) -> Any:
        """Return the whole body as `type_`. It blocks. Raises the precise `InvalidRequest`."""
        content = self._whole()
        _check_values(self._commas)
        if isinstance(content, mmap.mmap) and hasattr(type_, "media"):
            try:
                found, name = decode_named(b"".join(self._without_base64(content)), type_)
            except InvalidRequest:
                pass  # the whole body has the fault too, at its right place
            else:
                if self._references.keys() <= {medium.source.rpartition(",")[2] for medium in media_of(found)}:
                    self.picture_name = name
                    return found
            self._references.clear()  # base64 in another field, or in one that is given twice
        found, self.picture_name = decode_named(content[:], type_)
        return found

    def find(self, reference: str) -> Place | None:
        """Return the base64 that a reference stands for, or None for any other text."""
        return self._references.get(reference)

    def close(self) -> None:
        """Remove the file. A thread that still reads it gets a `ValueError`."""
        self._references.clear()
        for opened in (self._content, self._file):
            if opened is not None:
                opened.close()

    def _whole(self) -> bytearray | mmap.mmap:
        if self._file is None:
            return self._arrived
        if self._content is None:
            self.write()
            self._content = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._content

    def _without_base64(self, content: mmap.mmap) -> Iterator[bytes]:
        """Yield the JSON with a reference in place of each long base64.

        A `data:` after a quote that is not escaped begins a string of JSON, and the next quote ends it where no
        backslash comes before. So what is left is JSON exactly if the whole is, up to what the base64 consists of.
        No byte is searched for a quote twice, however many marks there are.
        """
        done, mark = 0, content.find(_MARK)
        while mark >= 0:
            begin = past = mark + len(_MARK)
            quote = content.rfind(b'"', max(1, mark - _BEFORE), mark)
            if content[quote + 1 : quote + 6].lower() == b"data:" and content[quote - 1 : quote] != b"\\":
                end = content.find(b'"', begin)
                if end < 0:
                    break
                past = end
                if end - begin > _LONG and content.find(b"\\", begin, end) < 0 and content.find(b"%", begin, end) < 0:
                    reference = f"@{secrets.token_hex(16)}"
                    self._references[reference] = (content, begin, end)
                    yield content[done:begin]
                    yield reference.encode()
                    done = end
            mark = content.find(_MARK, past)
        yield content[done:]


def _check_values(commas: int) -> None:
    if commas > MOST_VALUES:
        raise InvalidRequest(f"The body has more than {MOST_VALUES} values; remove some.", field="$")


def decode(body: bytes | bytearray, type_: Any) -> Any:
    """Return the JSON of a body as `type_`. Raises the precise `InvalidRequest`."""
    return decode_named(body, type_)[0]


def decode_named(body: bytes | bytearray, type_: Any) -> tuple[Any, str | None]:
    """Return the JSON of a body as `decode` does, and the name that it has for a picture (`PICTURE_NAMES`)."""
    _check_values(body.count(b","))
    own = picture_field(type_)
    try:
        return msgspec.json.decode(body, type=type_), own
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if (whole := _with_whole_numbers(body, error)) is not None:
            return decode_named(whole, type_)
        if own is None or not isinstance(error, msgspec.ValidationError):
            raise refusal(error, type_) from None
        return _decode_renamed(body, type_, own, error)


def _with_whole_numbers(body: bytes | bytearray, error: Exception) -> bytes | None:
    """Return a body with `whole_numbers`; None unless a float is the fault and there is one that is whole."""
    if not isinstance(error, msgspec.ValidationError) or "`, got `float`" not in str(error):
        return None
    try:
        members = msgspec.json.decode(body)
        as_it_is, whole = msgspec.json.encode(members), msgspec.json.encode(whole_numbers(members))
    except (msgspec.DecodeError, RecursionError):
        return None
    return None if whole == as_it_is else whole


def _decode_renamed(
    body: bytes | bytearray, type_: Any, own: str, error: msgspec.ValidationError
) -> tuple[Any, str | None]:
    """Decode a body again with its picture under the name `own`; where that is its name, `error` is what it has."""
    try:
        members = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise refusal(error, type_) from None
    names = [name for name in PICTURE_NAMES if name in members]
    if len(names) > 1:
        twice = " and ".join(f"`{name}`" for name in names)
        raise InvalidRequest(f"{twice} are names of one field; send `{PICTURE}` alone.", field=f"$.{names[-1]}")
    name = names[0] if names else PICTURE
    if names and name != own:
        renamed = {own if key == name else key: value for key, value in members.items()}
        try:
            return msgspec.json.decode(msgspec.json.encode(renamed), type=type_), name
        except (msgspec.DecodeError, RecursionError) as second:
            raise refusal(second, type_, picture=name) from None
    raise refusal(error, type_, picture=name) from None


def digest(path: str, body: bytes | bytearray | mmap.mmap) -> str:
    """Return the SHA-256 of a path and a body, in hexadecimal digits."""
    hashed = hashlib.sha256(f"{path.rstrip('/')}\n".encode())
    hashed.update(body)
    return hashed.hexdigest()
