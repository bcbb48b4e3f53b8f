"""Strict decoding of bodies, in one pass from bytes to the struct that the handler declares."""

import asyncio
from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.types import Empty

from api.http.auth import Caller
from api.http.body_budget import LEASE
from api.http.problems import PICTURE_NAME
from api.http.request_ids import find_header
from api.http.spooled_body import SpooledBody, decode_named, digest
from core.errors.base import AtelierError
from core.errors.fields import InvalidJson, InvalidRequest, MissingField, OutOfRange, UnknownField, WrongType
from core.errors.http import BodyTooLarge, UnsupportedEncoding, UnsupportedType
from core.errors.limits import TooManyBodies
from core.errors.unavailable import Overloaded
from jobs.statements.queue.look import JobView

JSON_NAMES = ("application/json", "text/json")
JSON_TYPES = (*JSON_NAMES, "text/plain", "")
"""Media types whose bodies are read as JSON, beside those that end in `+json`: clients that name none mean it."""
BODY_ERRORS: tuple[type[AtelierError], ...] = (
    *(InvalidJson, BodyTooLarge, UnsupportedType, UnsupportedEncoding, TooManyBodies, Overloaded),
    *(MissingField, UnknownField, WrongType, OutOfRange, InvalidRequest),
)
"""What any route with a JSON body may refuse one with, in the order in which the OpenAPI document lists them."""
CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")


def is_json(media_type: str) -> bool:
    """Return whether a media type names JSON."""
    return media_type.lower() in JSON_NAMES or media_type.lower().endswith("+json")


class StrictRequest(Request[Caller, JobView | None, State]):
    """A request whose JSON is never coerced: "1024" is not a number.

    Litestar alone decodes to plain objects and converts those leniently, which accepts such strings and loses the path
    of a fault.
    """

    async def json(self) -> Any:
        """Return the body as the type of the handler's `data`.

        Raises the precise `InvalidRequest`, and what `body` raises.

        A large body is hashed and decoded in a thread.
        """
        field = self.route_handler.parsed_data_field
        type_ = field.annotation if field is not None else Any
        body, spooled = await self.body(), self.spooled_body
        if spooled is None:
            decoded, self.scope["state"][PICTURE_NAME] = decode_named(body, type_)
            return decoded
        if "Idempotency-Key" in self.headers:
            self.scope["state"]["body_digest"] = await asyncio.to_thread(spooled.digest, self.scope["path"])
        decoded = await asyncio.to_thread(spooled.decode, type_)
        self.scope["state"][PICTURE_NAME] = spooled.picture_name
        return decoded

    async def read_json(self, type_: Any, limit: int) -> Any:
        """Return a body that is JSON as `type_`, on a route that takes files too, whose own limit is larger.

        Raises what `json` raises, and `BodyTooLarge` beyond `limit` bytes.
        """
        if (self.content_length or 0) > limit:
            raise _too_large(limit)
        body, spooled = await self._read(limit), self.spooled_body
        return decode_named(body, type_)[0] if spooled is None else await asyncio.to_thread(spooled.decode, type_)

    @property
    def content_length(self) -> int | None:
        """The bytes of the body that the head names, as the server has read it."""
        named = find_header(self.scope["headers"], b"content-length")
        return None if named is None else int(named)

    async def body(self) -> bytes:
        """Return the bytes of the body, which is JSON; of a large one, which is spooled, only the first piece.

        Raises `UnsupportedEncoding` or `UnsupportedType` before any of it is read.
        """
        return await self._read(None)

    async def _read(self, limit: int | None) -> bytes:
        """Do what `body` says. Raises also `BodyTooLarge` once more than `limit` bytes have come."""
        self._check_headers()
        spooled = self.spooled_body
        if spooled is None:
            return await super().body()
        if self._connection_state.body is Empty:
            first, size = b"", 0
            async for piece in self.stream():
                first, size = first or piece, size + len(piece)
                if limit is not None and size > limit:
                    raise _too_large(limit)
                if spooled.add(piece):
                    await asyncio.to_thread(spooled.write)
            self._connection_state.body = first
        return self._connection_state.body

    @property
    def spooled_body(self) -> SpooledBody | None:
        """The body, if it is a large one, whose long base64 is still there."""
        lease = self.scope["state"].get(LEASE)
        return None if lease is None else lease.body

    async def body_digest(self) -> str:
        """Return what an Idempotency-Key belongs to: the digest of the path and the body."""
        known: str | None = self.scope["state"].get("body_digest")
        return known or digest(self.scope["path"], await self.body())

    def note_digest(self, of_body: str) -> None:
        """Note the hash of a body that was read as a stream, for `body_digest`."""
        self.scope["state"]["body_digest"] = digest(self.scope["path"], of_body.encode())

    def check_encoding(self) -> None:
        """Raise `UnsupportedEncoding` for a body that the client has compressed."""
        encoding = (find_header(self.scope["headers"], b"content-encoding") or "identity").strip().lower()
        if encoding not in ("identity", ""):
            raise UnsupportedEncoding(f"The body has Content-Encoding {encoding[:100]}. {UnsupportedEncoding.advice}")

    def release_body(self) -> None:
        """Give up the body and its budget before the request has ended: nothing of it is in use any more."""
        if LEASE in self.scope["state"]:
            self.scope["state"][LEASE].give_back()

    def _check_headers(self) -> None:
        self.check_encoding()
        if find_header(self.scope["headers"], b"content-type") == JSON_NAMES[0]:
            return
        name, options = self.content_type
        charset = options.get("charset", "utf-8")
        if name.lower() not in JSON_TYPES and not is_json(name):
            raise UnsupportedType(f"The body has Content-Type {name[:100]}. {UnsupportedType.advice}")
        if charset.lower() not in CHARSETS:
            raise UnsupportedType(f"The body has charset {charset[:100]}. Send JSON as UTF-8.")


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"JSON has at most {limit} bytes here; send a larger file as the field `file` of a form.")
