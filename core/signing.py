"""Secrets derived from `ATELIER_SECRET_KEY`, the only secret that has to be kept.

API keys are stored as HMAC-SHA256 digests; webhook secrets are derived from their owner and a generation and
never stored; download links carry an HMAC of what they grant.

`ATELIER_SECRET_KEY` may be a ring, comma-separated: the first key signs, all of them verify.
"""

import base64
import hashlib
import hmac
import secrets
import time
import zlib
from functools import cache

from core.errors.access import BadSignature, Unauthenticated
from core.settings import Settings

_PREFIX = "atl_"

LEAST_BYTES = 32
"""Of the key that signs: as many as HMAC-SHA256 returns."""


def check_secret_key(settings: Settings) -> None:
    """Raise `ValueError` when the key that signs is missing, or outside of development shorter than `LEAST_BYTES`.

    The others only verify what they signed once, and may be as short as they were.
    """
    if not settings.secret_key:
        raise ValueError("ATELIER_SECRET_KEY is not set; keys, links and webhooks are signed with it")
    if len(_ring(settings.secret_key)[0].encode()) < LEAST_BYTES and not settings.development:
        raise ValueError(
            f"ATELIER_SECRET_KEY: the key that signs, before the first comma, has less than {LEAST_BYTES} bytes; put a "
            "new one (`openssl rand -hex 32`) and a comma before what is there, see docs/operations.md"
        )


@cache
def _ring(secret_key: str) -> tuple[str, ...]:
    """Return the keys of a ring, the one that signs first."""
    return tuple(key for part in secret_key.split(",") if (key := part.strip())) or ("",)


def _mac(secret_key: str, purpose: str, message: str) -> bytes:
    return hmac.digest(secret_key.encode(), f"{purpose}\n{message}".encode(), hashlib.sha256)


def new_key() -> str:
    """Return a fresh API key: a prefix, 192 random bits, and a checksum that catches typing errors at once."""
    body = secrets.token_hex(24)
    return f"{_PREFIX}{body}{zlib.crc32(body.encode()):08x}"


def key_digest(secret_key: str, key: str) -> str:
    """Return the digest that is stored of an API key; raises `Unauthenticated` for text of another shape."""
    return key_digests(secret_key, key)[0]


def key_digests(secret_key: str, key: str) -> tuple[str, ...]:
    """Return the digests that may be stored of an API key, one by each key of the ring; the first is `key_digest`."""
    body, checksum = key.removeprefix(_PREFIX)[:-8], key[-8:]
    if not key.startswith(_PREFIX) or f"{zlib.crc32(body.encode()):08x}" != checksum:
        raise Unauthenticated("This is not an Atelier key; send one that begins with atl_ and is 60 characters long.")
    return tuple(_mac(one, "api-key", key).hex() for one in _ring(secret_key))


def new_session() -> str:
    """Return the value of a fresh session's cookie: 256 random bits."""
    return secrets.token_urlsafe(32)


def session_digests(secret_key: str, session: str) -> tuple[str, ...]:
    """Return the digests that may be stored of a session's cookie, one by each key of the ring."""
    return tuple(_mac(one, "console-session", session).hex() for one in _ring(secret_key))


def webhook_secret(secret_key: str, owner: str, generation: int) -> str:
    """Return the `whsec_` secret of a generation (Standard Webhooks 1.0).

    `owner` is the id of an endpoint, or of the tenant whose callbacks it signs.
    """
    return webhook_secrets(secret_key, owner, generation)[0]


def webhook_secrets(secret_key: str, owner: str, generation: int) -> tuple[str, ...]:
    """Return the secrets of a generation, one by each key of the ring; the first is `webhook_secret`."""
    message = f"{owner}\n{generation}"
    return tuple("whsec_" + base64.b64encode(_mac(one, "webhook", message)).decode() for one in _ring(secret_key))


def sign_link(secret_key: str, subject: str, *, expires: int = 0) -> str:
    """Return the signature of a link to `subject`; `expires` is a Unix time, 0 for as long as the object exists."""
    return _link_signatures(secret_key, subject, expires)[0]


def check_link(secret_key: str, subject: str, signature: str, *, expires: int = 0) -> None:
    """Raise `BadSignature` unless the link was signed here and has not expired."""
    given = signature.encode(errors="replace")
    expected = _link_signatures(secret_key, subject, expires)
    if not any(hmac.compare_digest(one.encode(), given) for one in expected):
        raise BadSignature
    if expires and expires < time.time():
        raise BadSignature(f"This link has expired. {BadSignature.advice}")


def _link_signatures(secret_key: str, subject: str, expires: int) -> tuple[str, ...]:
    """Return the signatures that a link may have, one by each key of the ring."""
    message = f"{expires}\n{subject}"
    return tuple(base64.urlsafe_b64encode(_mac(one, "link", message)[:24]).decode() for one in _ring(secret_key))
