"""The child of the sanitizer process: its limits, its order of steps, and the errors that it passes on."""

import errno
import json
import signal
import subprocess
import sys

import msgspec
import pytest

from core.errors.inputs import InputUnreadable
from workers.ingest import sanitizer_process
from workers.ingest.sanitizer_messages import NO_ROOM, SanitizeRequest, SanitizeResult
from workers.ingest.sanitizer_process import BROKEN, FILE_BYTES, MEMORY_BYTES, OPEN_FILES, verdict

READ_LIMITS = """
import json, resource, signal
from workers.ingest.sanitizer_process import limit_resources
limit_resources(7.4)
names = ("CPU", "AS", "FSIZE", "NOFILE", "NPROC", "CORE")
limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}
timers = {"processor": signal.ITIMER_PROF, "clock": signal.ITIMER_REAL}
print(json.dumps({**limits, **{name: signal.getitimer(timer)[0] for name, timer in timers.items()}}))
"""


def test_a_child_limits_its_resources():
    outcome = subprocess.run(
        [sys.executable, "-c", READ_LIMITS], capture_output=True, text=True, timeout=60, check=True
    )
    limits = json.loads(outcome.stdout)
    assert 5.0 < limits.pop("processor") <= 7.41  # the timer rounds up to a tick of the kernel
    assert 50.0 < limits.pop("clock") <= 52.4
    most = {"CPU": 8, "AS": MEMORY_BYTES, "FSIZE": FILE_BYTES, "NOFILE": OPEN_FILES, "NPROC": 0, "CORE": 0}
    assert {name: [limit, limit] for name, limit in most.items()} == limits


REQUEST = SanitizeRequest("image", 15.0, 1000)


class Exited(BaseException):
    """The end of the child, in place of `os._exit`."""


@pytest.fixture
def child(monkeypatch):
    """Run the steps of a decoder in this process, and return them with what it wrote and its exit status."""

    def run(clean):
        steps, written = [], []
        monkeypatch.setattr(sanitizer_process, "die_with_parent", lambda: steps.append("die with parent"))
        monkeypatch.setattr(sanitizer_process, "limit_resources", lambda seconds: steps.append(f"limit {seconds:g} s"))
        monkeypatch.setattr(sanitizer_process.os, "fchdir", lambda folder: steps.append(f"enter {folder}"))
        monkeypatch.setattr(sanitizer_process, "confine", lambda folder: steps.append(f"confine to {folder}"))
        monkeypatch.setattr(sanitizer_process, "clean", lambda *_: steps.append("clean") or clean())
        monkeypatch.setattr(sanitizer_process.os, "write", lambda _, answer: written.append(answer))

        def leave(status):
            steps.append(f"exit {status}")
            raise Exited

        monkeypatch.setattr(sanitizer_process.os, "_exit", leave)
        with pytest.raises(Exited):
            sanitizer_process._decode(REQUEST, sanitizer_process.clean, 7, 8)
        return steps, [msgspec.json.decode(answer, type=SanitizeResult) for answer in written]

    return run


def test_a_decoder_is_bound_limited_and_confined_first(child):
    result = SanitizeResult(media_type="image/png")
    expected = ["die with parent", "limit 15 s", "enter 8", "confine to 8", "clean", "exit 0"]
    assert (expected, [result]) == child(lambda: result)


def test_a_decoder_that_fails_answers_nothing(child, capsys):
    def clean():
        raise OSError("a bug")

    steps, answers = child(clean)
    assert ("exit 1", []) == (steps[-1], answers)
    assert "a bug" in capsys.readouterr().err


def test_only_a_full_disk_is_an_answer_without_verdict(tmp_path):
    with pytest.raises(FileNotFoundError):
        sanitizer_process.clean(REQUEST, tmp_path)


@pytest.fixture
def cleaning(monkeypatch, tmp_path):
    """The result where cleaning an image raises this error."""

    def run(error):
        def clean_image(*_):
            raise error

        monkeypatch.setattr(sanitizer_process, "clean_image", clean_image)
        (tmp_path / "source").write_bytes(b"\x89PNG\r\n\x1a\n")
        return sanitizer_process.clean(REQUEST, tmp_path)

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), NO_ROOM),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), NO_ROOM),
        (OSError(errno.EFBIG, "File too large"), "input_too_large"),
        (MemoryError(), "input_too_large"),
        (InputUnreadable("It is broken."), "input_unreadable"),
        (RuntimeError("a decoder's own"), "input_unreadable"),
    ],
)
def test_errors_of_cleaning_and_their_codes(cleaning, error, code):
    assert code == cleaning(error).code


def test_other_errors_of_the_machine_are_no_verdict(cleaning):
    with pytest.raises(OSError, match="Input/output"):
        cleaning(OSError(errno.EIO, "Input/output error"))


TOO_SLOW = "Decoding this file takes more than 15 s of processor time; send a smaller or simpler one."


@pytest.mark.parametrize(
    ("status", "spent", "message"),
    [
        (0, 1.0, None),
        (1 << 8, 1.0, None),  # exit status 1: an error of the machine
        (signal.SIGPROF, 15.0, TOO_SLOW),
        (signal.SIGXCPU, 15.0, TOO_SLOW),
        (signal.SIGKILL, 16.0, TOO_SLOW),
        (signal.SIGKILL, 2.0, None),  # the kernel was out of memory, or an operator
        (signal.SIGALRM, 2.0, None),  # a busy machine
        (signal.SIGTERM, 2.0, None),
        (signal.SIGSEGV, 2.0, BROKEN),
        (signal.SIGSEGV | 0x80, 2.0, BROKEN),  # with a core dump
        (signal.SIGABRT, 2.0, BROKEN),
    ],
)
def test_an_end_by_a_signal_and_its_verdict(status, spent, message):
    result = verdict(int(status), spent, 15.0)
    assert message == (result and result.message)
    assert result is None or "input_unreadable" == result.code
