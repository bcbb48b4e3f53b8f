"""Every call of VideoGen's client against the table in docs/clients.md: it is there, or refused with 501."""

import inspect
import re
from fnmatch import fnmatch
from importlib.metadata import version

from tests.support.paths import DOCS

HELPERS = {"close", "request"}
OF_OTHERS = re.compile("poll_(assistant|project|timeline|remix)_")
"""Helpers that poll what this service does not have."""
UNSERVED = {"tools", "text", "workflows", "projects", "assistant"}
"""The resources with calls that are refused."""


def calls_of(client):
    """The calls of the client, by their names in the table; `…_and_wait` makes the call of the same name."""
    owners = {"": client} | {f"{name}.": owner for name, owner in vars(client).items() if not name.startswith("_")}
    found = {
        prefix + name: method
        for prefix, owner in owners.items()
        for name, method in inspect.getmembers(owner, inspect.ismethod)
        if not name.startswith("_") and not name.endswith("_and_wait")
    }
    return {name: call for name, call in found.items() if name not in HELPERS and not OF_OTHERS.match(name)}


def served():
    """The calls in the rows of the table, whose last one is of those that are refused."""
    section = (DOCS / "clients.md").read_text().split("## VideoGen")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return re.findall(r"`([a-z_0-9]+(?:\.[a-z_0-9*]+)?)`", "".join(rows))


def test_every_call_is_in_the_table_or_refused(vg, refused):
    calls, named = calls_of(vg), served()
    assert [] == [one for one in named if not any(fnmatch(call, one) for call in calls)]
    others = {call: make for call, make in calls.items() if not any(fnmatch(call, one) for one in named)}
    assert {call.partition(".")[0] for call in others} == UNSERVED
    for call, make in others.items():
        error = refused(with_every_argument, method=make)
        codes = error.body["code"], error.body["internal_error_code"]
        assert (501, "not_implemented", "not_offered") == (error.status, *codes), call
    assert f"`videogen` {version('videogen')}" in (DOCS / "clients.md").read_text()


def with_every_argument(method):
    """Make a call with each part of its path that it asks for."""
    given = {}
    while len(given) < 5:
        try:
            return method(**given)
        except TypeError as error:
            given[str(error).removeprefix("missing required argument: ")] = "x"
    raise AssertionError(given)
