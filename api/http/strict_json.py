"""Strict decoding of bodies, in one pass from bytes to the struct that the handler declares."""

import asyncio
import hashlib
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.types import Empty

from api.http.auth import Caller
from api.http.body_budget import LEASE, SMALL
from api.http.msgspec_errors import refusal
from core.errors import (
    AtelierError,
    BodyTooLarge,
    InvalidJson,
    InvalidRequest,
    MissingField,
    OutOfRange,
    Overloaded,
    TooManyBodies,
    UnknownField,
    UnsupportedEncoding,
    UnsupportedType,
    WrongType,
)
from jobs.statements.queue.look import JobView

MOST_VALUES = 100_000
"""Values in a body, counted by its commas. The length of an array is checked once all of it is decoded; the ten million
entries that fit into a body for media would block the event loop for a second and take half a gigabyte."""
JSON_TYPES = ("application/json", "text/json", "text/plain", "")
"""Media types whose bodies are read as JSON, beside those that end in `+json`: clients that name none mean it."""
BODY_ERRORS: tuple[type[AtelierError], ...] = (
    *(InvalidJson, BodyTooLarge, UnsupportedType, UnsupportedEncoding, TooManyBodies, Overloaded),
    *(MissingField, UnknownField, WrongType, OutOfRange, InvalidRequest),
)
"""What any route with a JSON body may refuse one with, in the order in which the OpenAPI document lists them."""
CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")


class StrictRequest(Request[Caller, JobView | None, State]):
    """A request whose JSON is never coerced: "1024" is not a number.

    Litestar alone decodes to plain objects and converts those leniently, which accepts such strings and loses the path
    of a fault.
    """

    async def json(self) -> Any:
        """Return the body as the type of the handler's `data`.

        Raises the precise `InvalidRequest`, and what `body` raises.

        A large body is hashed and decoded in a thread and then forgotten: `body` raises afterwards.
        """
        field = self.route_handler.parsed_data_field
        type_ = field.annotation if field is not None else Any
        body = await self.body()
        if len(body) <= SMALL:
            return decode(body, type_)
        self._body = self._connection_state.body = Empty
        if "Idempotency-Key" in self.headers:
            self.scope["state"]["body_digest"] = await asyncio.to_thread(digest, self.scope["path"], body)
        return await asyncio.to_thread(decode, body, type_)

    async def body(self) -> bytes:
        """Return the bytes of the body, which is JSON. Raises `UnsupportedType` before any of it is read."""
        self.check_encoding()
        self._check_type()
        return await super().body()

    async def body_digest(self) -> str:
        """Return what an Idempotency-Key belongs to: the digest of the path and the body."""
        known: str | None = self.scope["state"].get("body_digest")
        return known or digest(self.scope["path"], await self.body())

    def check_encoding(self) -> None:
        """Raise `UnsupportedEncoding` for a body that the client has compressed."""
        encoding = self.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", ""):
            raise UnsupportedEncoding(f"The body has Content-Encoding {encoding[:100]}. {UnsupportedEncoding.advice}")

    def release_body(self) -> None:
        """Give the budget of the body back before the request has ended: nothing of it is in use any more."""
        if LEASE in self.scope["state"]:
            self.scope["state"][LEASE].give_back()

    def _check_type(self) -> None:
        name, options = self.content_type
        charset = options.get("charset", "utf-8")
        if name.lower() not in JSON_TYPES and not name.lower().endswith("+json"):
            raise UnsupportedType(f"The body has Content-Type {name[:100]}. {UnsupportedType.advice}")
        if charset.lower() not in CHARSETS:
            raise UnsupportedType(f"The body has charset {charset[:100]}. Send JSON as UTF-8.")


def decode(body: bytes, type_: Any) -> Any:
    """Return the JSON of a body as `type_`. Raises the precise `InvalidRequest`."""
    if body.count(b",") > MOST_VALUES:
        raise InvalidRequest(f"The body has more than {MOST_VALUES} values; remove some.", field="$")
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(error, type_) from None


def digest(path: str, body: bytes) -> str:
    """Return the SHA-256 of a path and a body, in hexadecimal digits."""
    hashed = hashlib.sha256(f"{path.rstrip('/')}\n".encode())
    hashed.update(body)
    return hashed.hexdigest()
