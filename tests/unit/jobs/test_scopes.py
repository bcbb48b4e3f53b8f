"""What the words of a key stand for."""

import pytest

from jobs.scopes import SCOPES, SETS, beyond, granted, sets_with


def test_each_set_has_the_one_before():
    read, write, admin = SETS.values()
    assert read < write < admin < set(SCOPES)


@pytest.mark.parametrize("scopes", [(), ("unmarked",), ("write",)])
def test_a_key_without_scopes_may_write(scopes):
    assert "jobs:write" in granted(scopes)
    assert "servers:write" not in granted(scopes)


def test_a_fine_scope_gives_itself_alone():
    assert {"jobs:read"} == granted(("jobs:read",))


def test_a_key_gives_no_more_than_it_has():
    assert [] == beyond(("read", "jobs:write"), ("write",))
    assert ["keys:write", "servers:write", "tenants:read", "tenants:write"] == beyond(("admin",), ("write",))
    assert ["unmarked"] == beyond(("read", "unmarked"), ("write", "keys:write"))
    assert [] == beyond(SCOPES, ("admin",))


def test_the_smallest_set_comes_first():
    assert ["read", "write", "admin"] == sets_with("jobs:read")
    assert ["admin"] == sets_with("servers:write")
