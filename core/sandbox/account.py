"""The account of a process that decodes files of strangers where the service itself runs as root."""

import os
import pwd
import subprocess
from functools import cache

from core.processes import spawn

ACCOUNTS = ("daemon", "nobody")
"""The first one that exists is taken; PostgreSQL of `atelier up` may run as the second."""


@cache
def unprivileged_account() -> str | None:
    """Return the account to change to; None for a process that is not root, or that may not change its account.

    A container may have taken that right from root, so a program is started to try it.
    """
    if os.geteuid() != 0:
        return None
    return next(filter(_can_change_to, ACCOUNTS), None)


def _can_change_to(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    return spawn(["true"], env=environment, name="true", user=name, stderr=subprocess.DEVNULL).wait() == 0
