"""Secrets derived from `ATELIER_SECRET_KEY`, so that no secret but that one has to be kept.

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
    """A fresh API key: a prefix, 192 random bits, and a checksum that catches typing errors at once."""
    body = secrets.token_hex(24)
    return f"{_PREFIX}{body}{zlib.crc32(body.encode()):08x}"


def key_digest(secret_key: str, key: str) -> str:
    """What is stored of an API key; raises `Unauthenticated` when it does not have the shape of one."""
    body, checksum = key.removeprefix(_PREFIX)[:-8], key[-8:]
    if not key.startswith(_PREFIX) or f"{zlib.crc32(body.encode()):08x}" != checksum:
        raise Unauthenticated("This is no Atelier key: it begins with atl_ and is 60 characters long.")
    return _mac(secret_key, "api-key", key).hex()


def webhook_secret(secret_key: str, owner: str, generation: int) -> str:
    """The `whsec_` secret of a generation (Standard Webhooks 1.0); `owner` is the id of an endpoint, or of the tenant
    whose callbacks it signs.
    """
    return "whsec_" + base64.b64encode(_mac(secret_key, "webhook", f"{owner}\n{generation}")).decode()


def sign_link(secret_key: str, what: str, *, expires: int = 0) -> str:
    """The signature of a link to `what`; `expires` is a Unix time, 0 for one that lives as long as its object."""
    return base64.urlsafe_b64encode(_mac(secret_key, "link", f"{expires}\n{what}")[:24]).decode()


def check_link(secret_key: str, what: str, signature: str, *, expires: int = 0) -> None:
    """Raise `BadSignature` unless the link was signed here and has not expired."""
    wanted = sign_link(secret_key, what, expires=expires)
    if not hmac.compare_digest(wanted.encode(), signature.encode(errors="replace")):
        raise BadSignature
    if expires and expires < time.time():
        raise BadSignature(f"This link has expired. {BadSignature.advice}")
