"""Clean copies of inputs, each made by a child process of its own that has limits and nothing to steal."""

import logging
import math
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from jobs.errors import AtelierError, InputTooLarge, InputUnreadable, UnsupportedMedia
from workers.children import Process, spawn
from workers.retrying import TryAgain
from workers.sanitise import ANSWER

log = logging.getLogger(__name__)

PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH")
"""All that the child gets of our environment: no address, no credential."""
ANSWER_BYTES = 10_000
VERDICTS: dict[str, type[AtelierError]] = {
    error.code: error for error in (InputTooLarge, InputUnreadable, UnsupportedMedia)
}
EXTENSIONS = {"image/png": "png", "audio/wav": "wav"}


class Answer(msgspec.Struct, frozen=True):
    """What the child says: the media type of its clean copy, or what is wrong."""

    media_type: str = ""
    code: str = ""
    message: str = ""


class Clean(msgspec.Struct, frozen=True):
    """A clean copy."""

    file: Path
    media_type: str


def sanitise(kind: str, folder: Path, *, seconds: float) -> Clean:
    """The clean copy of `source` in `folder`, made there; blocks for at most `seconds`, and as much processor time.

    Raises `UnsupportedMedia`, `InputTooLarge`, `InputUnreadable`; `TryAgain` where the machine may be to blame.
    """
    with (folder / "log").open("wb") as errors:
        child = spawn(
            [sys.executable, "-m", "workers.sanitise", kind, str(folder), str(math.ceil(seconds))],
            env={name: os.environ[name] for name in PASSED if name in os.environ},
            name="the sanitiser",
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        status = _wait(child, seconds)
    if status is None:
        raise TryAgain(InputUnreadable(f"The file could not be decoded within {seconds:g} s."))
    if status != 0:
        raise _broken(status, folder)
    return _believed(folder)


def _wait(child: Process, seconds: float) -> int | None:
    """The exit status; none for a child that was killed because it took longer than `seconds`."""
    assert child.stdout is not None
    with child.stdout:
        select.select([child.stdout], [], [], seconds)  # it says nothing there: the end of the stream is its own end
    try:
        return child.wait(1.0)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return None


def _believed(folder: Path) -> Clean:
    try:
        with (folder / ANSWER).open("rb") as file:
            answer = msgspec.json.decode(file.read(ANSWER_BYTES), type=Answer)
    except (OSError, msgspec.MsgspecError) as error:
        raise TryAgain(InputUnreadable()) from error
    if answer.code:
        raise VERDICTS.get(answer.code, InputUnreadable)(answer.message[:500])
    extension = EXTENSIONS.get(answer.media_type)
    if extension is None:
        raise InputUnreadable
    return Clean(folder / f"clean.{extension}", answer.media_type)


def _broken(status: int, folder: Path) -> Exception:
    """A decoder that crashed or ran out of processor time was led there by the file; anything else may be our fault."""
    log.warning("the sanitiser ended with %d: %s", status, (folder / "log").read_text(errors="replace")[-2000:])
    if status == -signal.SIGXCPU:
        return InputUnreadable("Decoding this file takes more time than an input may.")
    if status in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGXFSZ):
        return InputUnreadable()
    return TryAgain(InputUnreadable())
