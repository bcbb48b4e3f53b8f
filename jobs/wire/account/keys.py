"""Keys: what a request asks for, and how they are shown."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jobs.scopes import ScopeName
from jobs.wire.values import UtcTime

LONGEST_SECONDS = 315_360_000
"""Ten years."""
MOST_USD = 10_000_000


Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S", description="What it is for.")]
Ceiling = Annotated[
    int, Meta(ge=0, le=9, description="The highest priority of its jobs; your own key's when left out.")
]
Seconds = Annotated[
    float, Meta(ge=1, le=LONGEST_SECONDS, description="Seconds until it ends by itself; never when left out.")
]
Budget = Annotated[
    float, Meta(ge=0, le=MOST_USD, description="US dollars that its jobs may cost in all; null for any.")
]
TenantName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"\S",
        description="The name of its tenant, for operators; a new name makes the tenant. Yours when left out.",
    ),
]


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make; only `name` is required."""

    name: Name
    scopes: Annotated[
        tuple[ScopeName, ...],
        Meta(
            min_length=1,
            max_length=30,
            description="What it may do: `read`, `write` or `admin`, or finer scopes; at most what your own key may.",
        ),
    ] = ("write",)
    priority_ceiling: Ceiling | None = None
    expires_in_seconds: Seconds | None = None
    budget_usd: Budget | None = None
    tenant: TenantName | None = None


class KeyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; others stay."""

    name: Name | UnsetType = UNSET
    budget_usd: Budget | UnsetType | None = UNSET


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its owner sees it. `valid` until it is revoked or expires; `last_used_at` is exact to a minute."""

    key_id: str
    name: str
    tenant: str
    scopes: tuple[str, ...]
    priority_ceiling: int
    valid: bool
    created_at: UtcTime
    expires_at: UtcTime | None
    last_used_at: UtcTime | None
    revoked_at: UtcTime | None
    budget_usd: float | None
    spent_usd: float
    reserved_usd: float


class KeyWithSecret(KeyAnswer, frozen=True, kw_only=True):
    """A new key. `key` is what requests send; it is not stored and cannot be shown again."""

    key: str


class KeyPage(msgspec.Struct, frozen=True):
    """Keys, newest first, with those that were revoked or have expired; `next_cursor` is null on the last page."""

    keys: list[KeyAnswer]
    next_cursor: str | None


class MeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The key of the request, its tenant, and what both may do and spend.

    Money is in US dollars; null stands for no budget and for no limit. `scopes` are the key's own words and `granted`
    all that they stand for. `balance_remaining_usd` is what the key may still spend: the budget without what
    completed jobs have cost and what is reserved for unfinished ones, the tenant's or the key's, whichever is less.
    `local_only`: no remote backend gets the tenant's jobs.
    """

    key_id: str
    key_name: str
    tenant_id: str
    tenant: str
    scopes: tuple[str, ...]
    granted: tuple[str, ...]
    priority_ceiling: int
    expires_at: UtcTime | None
    budget_usd: float | None
    spent_usd: float
    reserved_usd: float
    key_budget_usd: float | None
    key_spent_usd: float
    key_reserved_usd: float
    balance_remaining_usd: float | None
    max_unfinished_jobs: int
    max_running_jobs: int | None
    max_streams: int
    paused_at: UtcTime | None
    local_only: bool
    requests_per_second: float | None
    public_url: str
    version: str


class TenantChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of the tenant."""

    local_only: Annotated[bool, Meta(description="Whether its jobs stay on this installation's own servers.")]
