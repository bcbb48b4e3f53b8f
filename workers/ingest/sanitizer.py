"""Clean copies of inputs, each made by a process of its own that has limits and nothing to steal."""

import logging
import os
import select
import socket
import sys
import threading
import time
from pathlib import Path

import msgspec

from core.errors import AtelierError, InputTooLarge, InputUnreadable, NotThisModel, UnsupportedMedia
from core.processes import Process, spawn, stop
from jobs.params.media import MediaKind
from workers.ingest.retry_later import RetryLater
from workers.ingest.sanitizer_process import NO_ROOM, SanitizeRequest, SanitizeResult

log = logging.getLogger(__name__)

PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH")
"""All that the processes get of our environment: no address, no credential."""
ANSWER_BYTES = 10_000
SLACK_SECONDS = 5.0
"""How long past its time a decoder is waited for, the start of all included; the kernel has ended it by then."""
VERDICTS: dict[str, type[AtelierError]] = {
    error.code: error for error in (InputTooLarge, InputUnreadable, NotThisModel, UnsupportedMedia)
}
EXTENSIONS = {"image/png": "png", "audio/wav": "wav"}


class CleanMedia(msgspec.Struct, frozen=True):
    """A clean copy."""

    file: Path
    media_type: str


class Sanitizer:
    """The handle on `sanitizer_process`, which is started at once, and again after its death. Any thread may ask."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._process: Process | None = None
        self._control: socket.socket | None = None
        with self._starting:
            self._start()

    def close(self) -> None:
        """End the process; it leaves when its socket closes."""
        with self._starting:
            self._end()

    def clean(self, kind: MediaKind, folder: Path, *, seconds: float, min_seconds: float = 0.0) -> CleanMedia:
        """The clean copy of `source` in `folder`, made there; blocks for about `seconds` at most.

        Raises `UnsupportedMedia`, `InputTooLarge` and `InputUnreadable`; `NotThisModel` for a sound that is not longer
        than `min_seconds`; `RetryLater` where the machine may be to blame, `OSError` where it is: there is no room for
        the copy.
        """
        pipe = self._order(SanitizeRequest(kind, str(folder), seconds, min_seconds))
        try:
            said = _read(pipe, time.monotonic() + seconds + SLACK_SECONDS)
        finally:
            os.close(pipe)
        try:
            answer = msgspec.json.decode(said, type=SanitizeResult)
        except msgspec.MsgspecError:
            what = f"Decoding this file took longer than {seconds:g} s, or broke the decoder."
            raise RetryLater(InputUnreadable(what)) from None
        if answer.code == NO_ROOM:
            raise OSError(answer.message)
        if answer.code:
            raise VERDICTS.get(answer.code, InputUnreadable)(answer.message[:500])
        return CleanMedia(folder / f"clean.{EXTENSIONS[answer.media_type]}", answer.media_type)

    def _order(self, order: SanitizeRequest) -> int:
        """Send an order; the end of the pipe that its answer comes out of."""
        ours, theirs = os.pipe()
        try:
            with self._starting:
                try:
                    self._send(order, theirs)
                except OSError:
                    log.warning("the sanitizer is gone; starting it again")
                    self._end()
                    self._start()
                    self._send(order, theirs)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return ours

    def _send(self, order: SanitizeRequest, pipe: int) -> None:
        assert self._control is not None
        socket.send_fds(self._control, [msgspec.json.encode(order)], [pipe])

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = spawn(
                [sys.executable, "-m", "workers.ingest.sanitizer_process", str(theirs.fileno())],
                env={name: os.environ[name] for name in PASSED if name in os.environ},
                name="the sanitizer",
                pass_fds=[theirs.fileno()],
            )

    def _end(self) -> None:
        if self._control is not None and self._process is not None:
            self._control.close()
            stop(self._process, 1.0)


def _read(pipe: int, until: float) -> bytes:
    """What comes out of the pipe before its end, or `until` (monotonic seconds), whichever is first."""
    said = b""
    ready = select.poll()  # select() takes no descriptor above 1023
    ready.register(pipe, select.POLLIN)
    while len(said) < ANSWER_BYTES and ready.poll(1000 * max(0.0, until - time.monotonic())):
        part = os.read(pipe, ANSWER_BYTES)
        if not part:
            break
        said += part
    return said
