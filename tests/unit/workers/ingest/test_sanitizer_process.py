"""The child of the sanitizer process: its limits, its order of steps, and the errors that it passes on."""

import json
import subprocess
import sys

import msgspec
import pytest

from workers.ingest import sanitizer_process
from workers.ingest.sanitizer_process import FILE_BYTES, MEMORY_BYTES, OPEN_FILES, SanitizeRequest, SanitizeResult

READ_LIMITS = """
import json, resource, signal
from workers.ingest.sanitizer_process import limit_resources
limit_resources(7.4)
names = ("CPU", "AS", "FSIZE", "NOFILE", "CORE")
limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}
print(json.dumps({**limits, "seconds": signal.getitimer(signal.ITIMER_REAL)[0]}))
"""


def test_a_child_limits_its_resources():
    outcome = subprocess.run(
        [sys.executable, "-c", READ_LIMITS], capture_output=True, text=True, timeout=60, check=True
    )
    limits = json.loads(outcome.stdout)
    assert 5.0 < limits.pop("seconds") <= 7.4
    most = {"CPU": 8, "AS": MEMORY_BYTES, "FSIZE": FILE_BYTES, "NOFILE": OPEN_FILES, "CORE": 0}
    assert {name: [limit, limit] for name, limit in most.items()} == limits


class Exited(BaseException):
    """The end of the child, in place of `os._exit`."""


@pytest.fixture
def child(monkeypatch):
    """Run the steps of a child in this process, and return them with what it wrote and its exit status."""

    def run(clean):
        steps, written = [], []
        monkeypatch.setattr(sanitizer_process, "die_with_parent", lambda: steps.append("die with parent"))
        monkeypatch.setattr(sanitizer_process, "limit_resources", lambda seconds: steps.append(f"limit {seconds:g} s"))
        monkeypatch.setattr(sanitizer_process, "clean", lambda *_: steps.append("clean") or clean())
        monkeypatch.setattr(sanitizer_process.os, "write", lambda _, answer: written.append(answer))

        def leave(status):
            steps.append(f"exit {status}")
            raise Exited

        monkeypatch.setattr(sanitizer_process.os, "_exit", leave)
        with pytest.raises(Exited):
            sanitizer_process._handle(SanitizeRequest("image", "/somewhere", 15.0), 7)
        return steps, [msgspec.json.decode(answer, type=SanitizeResult) for answer in written]

    return run


def test_a_child_is_bound_and_limited_before_it_decodes(child):
    result = SanitizeResult(media_type="image/png")
    expected = ["die with parent", "limit 15 s", "clean", "exit 0"]
    assert (expected, [result]) == child(lambda: result)


def test_a_child_that_fails_answers_nothing(child, capsys):
    def clean():
        raise OSError("a bug")

    steps, answers = child(clean)
    assert ("exit 1", []) == (steps[-1], answers)
    assert "a bug" in capsys.readouterr().err


def test_only_a_full_disk_is_an_answer_without_verdict(tmp_path):
    with pytest.raises(FileNotFoundError):
        sanitizer_process.clean("image", tmp_path, 0.0)
