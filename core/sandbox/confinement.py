"""The confinement of a process that decodes a file of a stranger: every step that this kernel knows.

A step that the kernel lacks is left out, and `Confinement` says so: limits of memory and time hold in any case.
"""

import os
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from core.sandbox.kernel import drop_capabilities, prctl
from core.sandbox.landlock import restrict_files
from core.sandbox.seccomp import restrict_calls

PR_SET_NO_NEW_PRIVS = 38
STANDARD_LIBRARY = ("stdlib", "platstdlib")
PACKAGES = ("site-packages", "dist-packages")
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
"""Where Python and the loader look for a module or a library that is loaded late; none of them holds a secret."""
STEPS = {
    "no_new_privileges": "no new privileges",
    "no_capabilities": "no capabilities",
    "landlock": "Landlock",
    "seccomp": "seccomp",
}


class Confinement(msgspec.Struct, frozen=True):
    """The steps that the kernel took; `landlock` is the version of its interface, 0 without it."""

    no_new_privileges: bool
    no_capabilities: bool
    landlock: int
    seccomp: bool

    @property
    def taken(self) -> tuple[str, ...]:
        """The names of the steps that were taken."""
        return tuple(name for field, name in STEPS.items() if getattr(self, field))

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the steps that this kernel lacks."""
        return tuple(name for name in STEPS.values() if name not in self.taken)


def confine(folder: int) -> Confinement:
    """Confine this process, for good, to the open folder `folder`: there it reads and writes files, and no more.

    It opens no socket, executes no program, starts no process or thread, and reaches no other process. What it may
    still read elsewhere is Python's own code and the libraries of the system.
    """
    readable = [descriptor for path in _code() if (descriptor := _open(path)) is not None]
    no_new_privileges = _taken(lambda: prctl(PR_SET_NO_NEW_PRIVS, 1))
    no_capabilities = _taken(drop_capabilities)
    version, calls = 0, False
    with suppress(OSError):
        version = restrict_files(folder, readable)
    for descriptor in readable:
        os.close(descriptor)
    with suppress(OSError):
        calls = restrict_calls()
    return Confinement(no_new_privileges, no_capabilities, version, calls)


def try_confinement() -> Confinement:
    """Return what the kernel gives: a child process confines itself, and ends. Raises `OSError`."""
    reader, writer = os.pipe()
    with TemporaryDirectory(prefix="atelier-") as folder, os.fdopen(reader, "rb") as answer:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.write(writer, msgspec.json.encode(confine(os.open(folder, os.O_PATH | os.O_DIRECTORY))))
                status = 0
            finally:
                os._exit(status)
        os.close(writer)
        encoded = answer.read()
        os.waitpid(child, 0)
    if not encoded:
        raise OSError("the process that was to be confined died")
    return msgspec.json.decode(encoded, type=Confinement)


def _taken(step: Callable[[], None]) -> bool:
    try:
        step()
    except (OSError, AttributeError):
        return False
    return True


def _code() -> set[Path]:
    packages = filter(lambda path: Path(path).name in PACKAGES, sys.path)
    return {Path(path) for path in (*map(sysconfig.get_path, STANDARD_LIBRARY), *packages, *LIBRARIES)}


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return None  # not on this machine, or out of this account's reach
