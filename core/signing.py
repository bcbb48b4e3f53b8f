"""Secrets derived from `ATELIER_SECRET_KEY`, the only secret that has to be kept.

API keys are stored as HMAC-SHA256 digests; webhook secrets are derived from their owner and a generation and
never stored; download links carry an HMAC of what they grant.
"""

import base64
import hashlib
import hmac
import secrets
import time
import zlib

from core.errors import BadSignature, Unauthenticated

_PREFIX = "atl_"


def _mac(secret_key: str, purpose: str, message: str) -> bytes:
    return hmac.digest(secret_key.encode(), f"{purpose}\n{message}".encode(), hashlib.sha256)


def new_key() -> str:
    """Return a fresh API key: a prefix, 192 random bits, and a checksum that catches typing errors at once."""
    body = secrets.token_hex(24)
    return f"{_PREFIX}{body}{zlib.crc32(body.encode()):08x}"


def key_digest(secret_key: str, key: str) -> str:
    """Return the digest that is stored of an API key; raises `Unauthenticated` for text of another shape."""
    body, checksum = key.removeprefix(_PREFIX)[:-8], key[-8:]
    if not key.startswith(_PREFIX) or f"{zlib.crc32(body.encode()):08x}" != checksum:
        raise Unauthenticated("This is not an Atelier key; send one that begins with atl_ and is 60 characters long.")
    return _mac(secret_key, "api-key", key).hex()


def webhook_secret(secret_key: str, owner: str, generation: int) -> str:
    """Return the `whsec_` secret of a generation (Standard Webhooks 1.0).

    `owner` is the id of an endpoint, or of the tenant whose callbacks it signs.
    """
    return "whsec_" + base64.b64encode(_mac(secret_key, "webhook", f"{owner}\n{generation}")).decode()


def sign_link(secret_key: str, subject: str, *, expires: int = 0) -> str:
    """Return the signature of a link to `subject`; `expires` is a Unix time, 0 for as long as the object exists."""
    return base64.urlsafe_b64encode(_mac(secret_key, "link", f"{expires}\n{subject}")[:24]).decode()


def check_link(secret_key: str, subject: str, signature: str, *, expires: int = 0) -> None:
    """Raise `BadSignature` unless the link was signed here and has not expired."""
    expected = sign_link(secret_key, subject, expires=expires)
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
        raise BadSignature
    if expires and expires < time.time():
        raise BadSignature(f"This link has expired. {BadSignature.advice}")
