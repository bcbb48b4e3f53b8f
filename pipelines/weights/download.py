"""Download of one file, resumed where it was interrupted and hashed while it is written."""

import hashlib
import time
from http import HTTPStatus
from pathlib import Path

import httpx2

from pipelines.catalog.spec import Source
from pipelines.weights.files import CHUNK, Advance
from pipelines.weights.hub import FetchError, Transient, Unreachable, check, opened
from pipelines.weights.lockfile import Facts

TRIES = 5
"""In a row without a new byte; then it is given up until the next run."""
PAUSE = 0.5
"""Seconds before the second try; doubled for each further one."""


class ServerContact:
    """Whether a server has answered in this run; one that never has is not waited for."""

    def __init__(self) -> None:
        self.has_answered = False
        self.failure: str | None = None
        """Why it is given up, and what to do."""

    def give_up(self, error: Unreachable) -> str:
        """Ask it for nothing more; return the failure."""
        self.failure = f"{error}: no answer; check the network, HTTPS_PROXY and HF_ENDPOINT"
        return self.failure


class Download:
    """A file of a source on its way into `file`, which may hold its beginning already.

    `facts` are the known facts of the file; the hub is asked to confirm them before the first byte. `advance` is called
    for every byte, including those that were there. `contact` is shared by the files of one server.
    """

    def __init__(
        self,
        source: Source,
        path: str,
        file: Path,
        *,
        facts: Facts,
        advance: Advance,
        contact: ServerContact | None = None,
    ) -> None:
        self.resumed = False
        self._source, self._path, self._file = source, path, file
        self._facts, self._size, self._checked = facts, facts.size, False
        self._advance = advance
        self._contact = contact or ServerContact()
        self._digest = hashlib.sha256()
        self._done = 0

    def run(self) -> str:
        """Fetch the missing bytes and return the sha256 of the whole file.

        Raises `FetchError`, `Unreachable` where the server has never answered, and what `advance` raises; the bytes
        received by then stay in the file.
        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._read_beginning()
        tries, furthest = 1, self._done
        while self._size is None or self._done < self._size:
            try:
                self._continue()
                break
            except Transient as error:
                if isinstance(error, Unreachable) and not self._contact.has_answered:
                    raise
                # Not merely further than before: a server that makes us begin again would keep us for ever.
                tries = 1 if self._done > furthest else tries + 1
                furthest = max(furthest, self._done)
                if tries > TRIES:
                    raise FetchError(f"{error} (tried {TRIES} times; run it again to go on from here)") from None
            self._wait(PAUSE * 2 ** (tries - 2))
        return self._digest.hexdigest()

    def _read_beginning(self) -> None:
        """Hash what an earlier run left, unless its end is unknown."""
        if self._file.exists() and (self._size is None or self._file.stat().st_size > self._size):
            self._file.unlink()
        with self._file.open("ab+") as stream:
            stream.seek(0)
            while chunk := stream.read(CHUNK):
                self._take(chunk)
        self.resumed = self._done > 0

    def _continue(self) -> None:
        if not self._checked:
            check(self._source, self._path, self._facts)
            self._checked = True
            self._contact.has_answered |= self._source.repo is not None
        with opened(self._source, self._path, self._done) as response, self._file.open("r+b") as stream:
            self._contact.has_answered = True
            stream.seek(self._go_on_from(response))
            stream.truncate()
            length = response.headers.get("Content-Length")
            if self._size is None and length is not None:
                self._size = self._done + int(length)
            for chunk in response.iter_bytes():
                if self._size is not None and self._done + len(chunk) > self._size:
                    raise FetchError(f"more than the {self._size} bytes of weights.lock came")
                stream.write(chunk)
                self._take(chunk)
        if self._size is not None and self._done < self._size:
            raise Transient(f"only {self._done} of {self._size} bytes came")

    def _go_on_from(self, response: httpx2.Response) -> int:
        """Return the offset of the body: 0 when it is not the rest of the file."""
        rest = response.headers.get("Content-Range", "").startswith(f"bytes {self._done}-")
        if self._done and not (response.status_code == HTTPStatus.PARTIAL_CONTENT and rest):
            self._advance(-self._done)
            self._digest, self._done, self.resumed = hashlib.sha256(), 0, False
            if response.status_code != HTTPStatus.OK:
                self._file.write_bytes(b"")
                raise Transient("the server's file ends before what is here")
        return self._done

    def _take(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._done += len(chunk)
        self._advance(len(chunk))

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._advance(0)
            time.sleep(0.05)
