"""What is judged at the door, before the database is asked."""

import hashlib
import secrets
from urllib.parse import urlsplit

import msgspec

from api.http.auth import Caller
from api.submit.data_urls import is_data_url
from api.submit.media_intake import is_stored
from core.errors import ForbiddenUrl, InvalidRequest, MissingField, OutOfRange
from core.net.url_guard import check_literal
from core.settings import Settings
from jobs.params.base import Params, changed_fields, refuse_nul, refuse_unbuilt
from jobs.params.media import media_of
from jobs.params.registry import AnyParams

SEEDS = 2**31
"""A seed that is drawn here fits every framework's generator."""

URL_LENGTH = 4096
"""Characters of a URL that is no `data:` URL."""

COMPANIONS = {
    "strength": "input_image",
    "last_image": "input_image",
    "pin": "server_id",
    "prefer_seconds": "pin: prefer",
}
"""Fields that mean nothing without another one, or without this value of another one."""

USUAL_PRIORITY = next(field.default for field in msgspec.structs.fields(Params) if field.name == "priority")


class IdempotencyKey(msgspec.Struct, frozen=True):
    """An Idempotency-Key and the digest of the request it came with."""

    key: str
    digest: str


def check(params: AnyParams, caller: Caller, settings: Settings) -> AnyParams:
    """Refuse what needs no database to be refused; the usual priority becomes the key's ceiling where that is lower."""
    refuse_unbuilt(params)
    refuse_nul(params)
    if params.callback_url is not None:
        check_url(params.callback_url, "$.callback_url", settings)
    for medium in media_of(params):
        if not is_data_url(medium.source) and not is_stored(medium.source):
            check_url(medium.source, medium.field, settings, also=", a `data:` URL or the `input_id` of an upload")
    changed = dict(changed_fields(params))
    for name, wanted in COMPANIONS.items():
        companion, _, _ = wanted.partition(":")
        if name in changed and companion not in changed:
            advice = f"`{name}` goes with `{wanted}`: add that, or leave `{name}` out."
            raise MissingField(advice, field=f"$.{companion}")
    if params.priority <= caller.priority_ceiling:
        return params
    if params.priority == USUAL_PRIORITY:
        return msgspec.structs.replace(params, priority=caller.priority_ceiling)
    raise OutOfRange(f"`priority` must be at most {caller.priority_ceiling} for this key.", field="$.priority")


def check_url(url: str, field: str, settings: Settings, *, also: str = "") -> None:
    """Raise `InvalidRequest` unless `url` is http(s) and names a host, `ForbiddenUrl` when that is a forbidden address.

    Where a name leads is judged when it is called. `also` says what else the field takes.
    """
    name = field.removeprefix("$.")
    if len(url) > URL_LENGTH:
        raise OutOfRange(f"`{name}` must have at most {URL_LENGTH} characters.", field=field)
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or any(character.isspace() for character in url):
        raise InvalidRequest(f"`{name}` must be an http or https URL with a host name{also}.", field=field)
    try:
        check_literal(url, settings)
    except ForbiddenUrl as error:
        raise ForbiddenUrl(error.detail, field=field) from None


def draw_seed(params: AnyParams) -> int | None:
    """The seed every attempt will use: the caller's, or one drawn here for -1; none for modalities without one."""
    seed: int | None = getattr(params, "seed", None)
    return secrets.randbelow(SEEDS) if seed == -1 else seed


def idempotency_key_of(key: str | None, route: str, body: bytes) -> IdempotencyKey | None:
    """An Idempotency-Key header as `IdempotencyKey`, if there is one."""
    if key is None:
        return None
    digest = hashlib.sha256(f"{route}\n".encode())
    digest.update(body)
    return IdempotencyKey(key, digest.hexdigest())
