"""What is judged at the door, before the database is asked."""

import hashlib
import secrets
from urllib.parse import urlsplit

import msgspec

from api.auth import Caller
from jobs.errors import InvalidRequest, OutOfRange
from jobs.params import AnyParams, Params, refuse_nul, refuse_unbuilt

SEEDS = 2**31
"""A seed that is drawn here fits every framework's generator."""

USUAL_PRIORITY = next(field.default for field in msgspec.structs.fields(Params) if field.name == "priority")


class Once(msgspec.Struct, frozen=True):
    """An Idempotency-Key and the digest of the request it came with."""

    key: str
    digest: str


def check(params: AnyParams, caller: Caller) -> AnyParams:
    """Refuse what needs no database to be refused; the usual priority becomes the key's ceiling where that is lower."""
    refuse_unbuilt(params)
    refuse_nul(params)
    if params.callback_url is not None:
        check_url(params.callback_url, "$.callback_url")
    if params.priority <= caller.priority_ceiling:
        return params
    if params.priority == USUAL_PRIORITY:
        return msgspec.structs.replace(params, priority=caller.priority_ceiling)
    raise OutOfRange(f"`priority` must be at most {caller.priority_ceiling} for this key.", field="$.priority")


def check_url(url: str, field: str) -> None:
    """Raise `InvalidRequest` unless `url` is http(s) and names a host; where it leads is judged when it is called."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or any(character.isspace() for character in url):
        name = field.removeprefix("$.")
        raise InvalidRequest(f"`{name}` must be an http or https URL with a host name.", field=field)


def draw_seed(params: AnyParams) -> int | None:
    """The seed every attempt will use: the caller's, or one drawn here for -1; none for modalities without one."""
    seed: int | None = getattr(params, "seed", None)
    return secrets.randbelow(SEEDS) if seed == -1 else seed


def once_of(key: str | None, route: str, body: bytes) -> Once | None:
    """An Idempotency-Key header as `Once`, if there is one."""
    return None if key is None else Once(key, hashlib.sha256(route.encode() + b"\n" + body).hexdigest())
