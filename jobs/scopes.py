"""Scopes: what a key may do.

A key has some of these words. `read`, `write` and `admin` stand for sets of the others. A key without any of those, as
keys were made before, may do what `write` may.
"""

from collections.abc import Collection
from functools import cache
from typing import Literal, get_args

ADMIN = "admin"
"""The scope of an operator's key."""
UNMARKED = "unmarked"
"""The scope of a key that may make pictures and films without the visible mark where it is usual."""

ReadScope = Literal[
    "jobs:read",
    "media:read",  # uploads, voices and entities too
    "profiles:read",
    "webhooks:read",
    "models:read",
    "servers:read",
    "usage:read",
    "keys:read",
]
WriteScope = Literal["jobs:write", "media:write", "profiles:write", "webhooks:write"]
OperatorScope = Literal["keys:write", "servers:write", "tenants:read", "tenants:write"]
"""Beyond a caller's own work: keys of its own tenant, the servers, and what is another tenant's."""
SetScope = Literal["read", "write", "admin"]
ScopeName = Literal[SetScope, ReadScope, WriteScope, OperatorScope, "unmarked"]

_READ: frozenset[str] = frozenset(get_args(ReadScope))
_WRITE: frozenset[str] = _READ | frozenset(get_args(WriteScope))
SETS: dict[str, frozenset[str]] = {
    "read": _READ,
    "write": _WRITE,
    ADMIN: _WRITE | frozenset(get_args(OperatorScope)),
}
"""What each set stands for."""
SCOPES: tuple[str, ...] = (*SETS, *get_args(ReadScope), *get_args(WriteScope), *get_args(OperatorScope), UNMARKED)


@cache
def granted(scopes: tuple[str, ...]) -> frozenset[str]:
    """Return all scopes that a key with these words has."""
    fine = frozenset(one for scope in scopes for one in SETS.get(scope, {scope}))
    return fine if fine - {UNMARKED} else fine | _WRITE


def beyond(asked: Collection[str], scopes: tuple[str, ...]) -> list[str]:
    """Return the scopes of a key that is asked for which one with `scopes` may not give; an admin may give any."""
    if ADMIN in scopes:
        return []
    return sorted(granted(tuple(asked)) - granted(scopes))


def sets_with(scope: str) -> list[str]:
    """Return the sets that a scope is in, the smallest first."""
    return [name for name, scopes in SETS.items() if scope in scopes]
