"""The sha256 of files that were hashed, by the identity of each file, so that an unchanged file is hashed once.

An engine reports what it hashed to its supervisor, which gives it to the next engine.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path

import msgspec

SETTLED_SECONDS = 60.0
"""Age of a file's last change from which its identity stands for its content.

The clock of a file system stands still for some milliseconds, in which two changes look like one. And a page that a
process has mapped and changed may change again without a new time until the kernel has written it, in about 35 s.
"""


class FileIdentity(msgspec.Struct, frozen=True):
    """What changes when a file's content does.

    Who may write the file may also set `mtime_ns` to an earlier value. `ctime_ns` is set by the kernel alone, at every
    change of the content, of the name or of the other times. To change the content and keep this identity takes more
    than the right to write: to set the clock, to write to the disk below the file system, or to be the server that
    holds the files. On a `tmpfs`, a mapped file is changed without a new time: weights do not belong there beside
    processes that must not change them.
    """

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, file: Path) -> "FileIdentity":
        """Return the identity of a file as it is now. Raises `OSError`."""
        now = file.stat()
        return cls(str(file), now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)


class HashedFile(msgspec.Struct, frozen=True):
    """A file and the hexadecimal sha256 of its content."""

    identity: FileIdentity
    sha256: str


class HashCache:
    """The hashes of one process; several threads may use it.

    `on_hash` is called with each file that was hashed and whose hash is kept.
    """

    def __init__(
        self, on_hash: Callable[[HashedFile], None] = lambda hashed: None, clock: Callable[[], float] = time.time
    ) -> None:
        self._on_hash = on_hash
        self._clock = clock
        self._lock = threading.Lock()
        self._hashes: dict[FileIdentity, Future[str]] = {}

    def add(self, files: Iterable[HashedFile]) -> None:
        """Take over what another process has hashed."""
        for file in files:
            known = Future[str]()
            known.set_result(file.sha256)
            with self._lock:
                self._hashes.setdefault(file.identity, known)

    def known(self) -> tuple[HashedFile, ...]:
        """Return what is hashed, as another process can take it over."""
        with self._lock:
            done = [(identity, one) for identity, one in self._hashes.items() if one.done() and not one.exception()]
        return tuple(HashedFile(identity, one.result()) for identity, one in done)

    def sha256_of(self, file: Path) -> str:
        """Return the hexadecimal sha256 of a file. Raises `OSError`.

        A file that is being hashed in another thread is not hashed twice. The hash is kept for a file whose last change
        is older than `SETTLED_SECONDS` and that does not change meanwhile.
        """
        identity = FileIdentity.of(file)
        with self._lock:
            known = self._hashes.get(identity)
            mine = self._hashes[identity] = Future[str]() if known is None else known
        return known.result() if known is not None else self._hash(file, identity, mine)

    def _hash(self, file: Path, identity: FileIdentity, mine: Future[str]) -> str:
        is_kept = False
        is_settled = self._clock() - identity.ctime_ns / 1e9 > SETTLED_SECONDS
        try:
            sha256 = hash_content(file)
            mine.set_result(sha256)
            is_kept = is_settled and FileIdentity.of(file) == identity
        except BaseException as error:
            if not mine.done():
                mine.set_exception(error)
            raise
        finally:
            if not is_kept:
                with self._lock:
                    del self._hashes[identity]
        if is_kept:
            self._on_hash(HashedFile(identity, sha256))
        return sha256


def hash_content(file: Path) -> str:
    """Return the hexadecimal sha256 of a file's present content. Raises `OSError`."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
