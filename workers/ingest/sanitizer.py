"""The handle on the sanitizer: clean copies of inputs, each made by a process with limits and without credentials."""

import logging
import os
import select
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from core.errors.base import AtelierError
from core.errors.fields import NotThisModel
from core.errors.inputs import EmptyMask, InputTooLarge, InputUnreadable, UnsupportedMedia
from core.log_capture import child_output
from core.logs import json_lines
from core.processes import Process, spawn, stop
from core.sandbox.account import unprivileged_account
from jobs.params.media import MediaKind
from workers.ingest.retry_later import RetryLater
from workers.ingest.sanitizer_messages import NO_ROOM, SOURCE, WAITING_SECONDS, SanitizeRequest, SanitizeResult

log = logging.getLogger(__name__)

PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH")
"""The variables that the processes get of the environment: no address, no credential."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""NumPy's library would start threads for large arrays, which a decoder may not."""
ANSWER_BYTES = 10_000
SLACK_SECONDS = 5.0
"""How much longer than its time a child is waited for, its start included; the kernel has ended it by then."""
CODE = Path(__file__).resolve().parents[2]
ERRORS: dict[str, type[AtelierError]] = {
    error.code: error for error in (EmptyMask, InputTooLarge, InputUnreadable, NotThisModel, UnsupportedMedia)
}
EXTENSIONS = {"image/png": "png", "audio/wav": "wav", "video/mp4": "mp4", "application/x-safetensors": "safetensors"}


class CleanMedia(msgspec.Struct, frozen=True):
    """A clean copy on this machine."""

    file: Path
    media_type: str


class Sanitizer:
    """The process `module`, started at once and again after its death; any thread may use it.

    Where this process is root, that one is of another account.
    """

    def __init__(self, module: str = "workers.ingest.sanitizer_process") -> None:
        self._module = module
        self._account = unprivileged_account()
        self._starting = threading.Lock()
        self._process: Process | None = None
        self._control: socket.socket | None = None
        with self._starting:
            self._start()

    def close(self) -> None:
        """End the process, which leaves when its socket closes."""
        with self._starting:
            self._end()

    def clean(self, kind: MediaKind, folder: Path, *, seconds: float, max_pixels: int, **rules: Any) -> CleanMedia:
        """Make the clean copy of `source` in `folder`, and return it; blocks for as long as `WAITING_SECONDS` says.

        `seconds` are of processor time; `rules` are further fields of `SanitizeRequest`. `folder` lies in one that only
        this account may enter.

        Raises `UnsupportedMedia`, `InputTooLarge`, `InputUnreadable` and `EmptyMask`; `NotThisModel` for what is
        shorter or smaller than its model takes; `RetryLater` where the machine may be at fault, and `OSError` where the
        copy does not fit on it.
        """
        answered = self.ask(SanitizeRequest(kind, seconds, max_pixels, **rules), folder)
        try:
            answer = msgspec.json.decode(answered, type=SanitizeResult)
        except msgspec.MsgspecError:
            detail = "The service did not finish decoding this file, for a reason of its own; submit the job again."
            raise RetryLater(InputUnreadable(detail)) from None
        if answer.code == NO_ROOM:
            raise OSError(answer.message)
        if answer.code:
            raise ERRORS.get(answer.code, InputUnreadable)(answer.message[:500])
        return CleanMedia(folder / f"clean.{EXTENSIONS[answer.media_type]}", answer.media_type)

    def ask(self, request: SanitizeRequest, folder: Path) -> bytes:
        """Return the answer to a request, as JSON; incomplete where the process died for no fault of the file."""
        pipe = self._request(request, folder)
        try:
            return _read(pipe, time.monotonic() + request.seconds + WAITING_SECONDS + SLACK_SECONDS)
        finally:
            os.close(pipe)

    def _request(self, request: SanitizeRequest, folder: Path) -> int:
        """Send a request, and return the end of the pipe from which its answer comes."""
        if self._account is not None:  # it has the folder, and no other one beside it, as an open descriptor
            folder.chmod(0o777)
            (folder / SOURCE).chmod(0o644)
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        ours, theirs = os.pipe()
        try:
            with self._starting:
                try:
                    self._send(request, theirs, opened)
                except OSError:
                    log.warning("sanitizer: died; it is started again")
                    self._end()
                    self._start()
                    self._send(request, theirs, opened)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
            os.close(opened)
        return ours

    def _send(self, request: SanitizeRequest, pipe: int, folder: int) -> None:
        assert self._control is not None
        socket.send_fds(self._control, [msgspec.json.encode(request)], [pipe, folder])

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, child_output("the sanitizer", json_lines("sanitizer")) as output:
            self._process = spawn(
                [sys.executable, "-m", self._module, str(theirs.fileno()), str(CODE)],
                env={name: os.environ[name] for name in PASSED if name in os.environ} | ONE_THREAD,
                name="the sanitizer",
                user=self._account,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
            )

    def _end(self) -> None:
        if self._control is not None and self._process is not None:
            self._control.close()
            stop(self._process, 1.0)


def _read(pipe: int, until: float) -> bytes:
    """Return the bytes from the pipe before its end, or `until` (monotonic seconds), whichever is first."""
    answered = b""
    ready = select.poll()  # select() takes no descriptor above 1023
    ready.register(pipe, select.POLLIN)
    while len(answered) < ANSWER_BYTES and ready.poll(1000 * max(0.0, until - time.monotonic())):
        part = os.read(pipe, ANSWER_BYTES)
        if not part:
            break
        answered += part
    return answered
