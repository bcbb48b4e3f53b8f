"""The operating-system account that PostgreSQL runs as, since it refuses to run as root."""

import os
import pwd
from pathlib import Path

import msgspec

from cli.embedded.server import ServerFailed

CANDIDATES = ("postgres", "nobody")


class Account(msgspec.Struct, frozen=True):
    """An account: `user` is the one to change to, or None for our own; `ours` is the name of our clients."""

    user: str | None
    ours: str

    def make_folder(self, path: Path) -> None:
        """Make a folder that only this account and root may enter."""
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        self._change_owner(path)

    def write(self, path: Path, text: str) -> None:
        """Write a file that only this account may read."""
        path.write_text(text)
        path.chmod(0o600)
        self._change_owner(path)

    def _change_owner(self, path: Path) -> None:
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)


def cluster_account(data: Path) -> Account:
    """Return the account for the cluster in `data`: its owner, or the first of `CANDIDATES` that exists for a new one.

    Raises `ServerFailed` when this process is not root and the cluster belongs to another user.
    """
    ours = _name(os.geteuid())
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise ServerFailed(f"{data} belongs to {_name(owner)}: run as that user, or name another --data")
        return Account(None, ours)
    if owner:
        return Account(_name(owner), ours)
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in CANDIDATES:
        if name in known:
            return Account(name, ours)
    raise ServerFailed("PostgreSQL does not run as root; create a user `postgres`, or run as another user")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise ServerFailed(f"user id {uid} has no name in /etc/passwd, which PostgreSQL needs") from None
