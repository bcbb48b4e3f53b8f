"""The account of decoders: another one for root, where root may change its account."""

import pwd

import pytest

from core.sandbox import account
from core.sandbox.account import unprivileged_account


@pytest.fixture
def machine(monkeypatch):
    """The account on a machine with these accounts; `usable` are those that a program starts under."""

    def of(known, usable, uid=0):
        def find(name):
            if name not in known:
                raise KeyError(name)

        class Started:
            def __init__(self, user):
                self.user = user

            def wait(self):
                return 0 if self.user in usable else 1

        monkeypatch.setattr(account.os, "geteuid", lambda: uid)
        monkeypatch.setattr(pwd, "getpwnam", find)
        monkeypatch.setattr(account, "spawn", lambda argv, *, user, **_: Started(user))
        unprivileged_account.cache_clear()
        return unprivileged_account()

    yield of
    unprivileged_account.cache_clear()


@pytest.mark.parametrize(
    ("known", "usable", "expected"),
    [
        ({"daemon", "nobody"}, {"daemon", "nobody"}, "daemon"),
        ({"nobody"}, {"nobody"}, "nobody"),
        ({"daemon", "nobody"}, {"nobody"}, "nobody"),
        ({"daemon", "nobody"}, set(), None),
        (set(), set(), None),
    ],
)
def test_the_first_account_that_can_be_used(machine, known, usable, expected):
    assert expected == machine(known, usable)


def test_only_root_changes_its_account(machine):
    assert machine({"daemon"}, {"daemon"}, uid=1000) is None
