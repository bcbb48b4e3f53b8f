"""The sanitizer and its process: what it is given, what it may not do, and what its end means."""

import fcntl
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from core.errors.inputs import InputUnreadable
from core.processes import spawn
from core.sandbox.confinement import try_confinement
from tests.support.media.cleaning import MAX_PIXELS, code_of
from tests.support.media.recordings import tone
from tests.support.servers.media_server import png
from tests.support.service.processes import alive, descendants
from tests.support.wait import until
from workers.ingest.retry_later import RetryLater
from workers.ingest.sanitizer import Sanitizer, _read
from workers.ingest.sanitizer_messages import NO_ROOM, SOURCE, SanitizeResult


class TestVerdicts:
    """Whose fault it is that no clean copy was made."""

    def test_audio_for_an_image_and_the_reverse_are_refused(self, clean):
        assert "unsupported_media" == code_of(clean, tone())
        assert "unsupported_media" == code_of(clean, png(), "audio")

    def test_a_film_without_a_frame_is_unreadable(self, clean):
        assert "input_unreadable" == code_of(clean, b"\0\0\0\x20ftypisom" + bytes(60), "video")

    @pytest.mark.parametrize(
        ("answer", "error", "words"),
        [
            (msgspec.json.encode(SanitizeResult(code=NO_ROOM, message="No space left")), OSError, "No space"),
            (b"", RetryLater, "for a reason of its own"),  # killed by an operator, or too slow a machine
        ],
    )
    def test_a_fault_of_the_machine_is_none_of_the_input(self, clean, sanitizer, monkeypatch, answer, error, words):
        """The decoder's side of it is in `test_sanitizer_process.py`."""

        def answered(request, folder):
            ours, theirs = os.pipe()
            os.write(theirs, answer)
            os.close(theirs)
            return ours

        monkeypatch.setattr(sanitizer, "_request", answered)
        with pytest.raises(error, match=words):
            clean(png(1, 64, 64))

    @pytest.mark.long
    def test_a_file_that_takes_too_long_is_refused_for_good(self, clean):
        """The limit counts processor time, so it is the file's doing; another attempt would take as long."""
        with pytest.raises(InputUnreadable, match=r"takes more than 0\.05 s of processor time"):
            clean(png(1, 2000, 2000), seconds=0.05)


class TestTheProcess:
    """What it is given, and what becomes of it."""

    def test_the_process_gets_no_secret(self, sanitizer, monkeypatch):
        monkeypatch.setenv("ATELIER_SECRET_KEY", "hunter2")
        other = Sanitizer()
        environment = Path(f"/proc/{other._process.pid}/environ")
        until(
            lambda: b"workers.ingest.sanitizer_process" in Path(f"/proc/{other._process.pid}/cmdline").read_bytes(),
            what="its start",
        )
        assert b"hunter2" not in environment.read_bytes()
        other.close()

    def test_a_dead_process_is_replaced(self, clean, sanitizer):
        assert clean(png()).file.exists()
        sanitizer._process.kill()
        sanitizer._process.wait()
        assert clean(png()).file.exists()

    def test_answers_are_read_from_descriptors_above_1023(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        ours, theirs = os.pipe()
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
            high = fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 1100)
            os.write(theirs, b"an answer")
            os.close(theirs)
            assert b"an answer" == _read(high, time.monotonic() + 10)
            os.close(high)
        finally:
            os.close(ours)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_the_process_leaves_no_children(self, tmp_path):
        other = Sanitizer()
        (tmp_path / SOURCE).write_bytes(png())
        other.clean("image", tmp_path, seconds=15, max_pixels=MAX_PIXELS)
        pid = other._process.pid
        until(lambda: not descendants(pid), what="the child to end")
        other.close()
        assert not alive(pid)


HARMLESS = {"EACCES", "EPERM", "ENOSYS", "RuntimeError"}
"""What the kernel answers, and Python where a thread does not start."""


@pytest.mark.contract("F35")
@pytest.mark.parametrize(
    "account",
    [
        pytest.param(None, id="this account"),
        pytest.param("nobody", id="plain", marks=pytest.mark.skipif(os.geteuid() != 0, reason="this account is one")),
    ],
)
def test_33_a_decoder_that_is_taken_over_reaches_nothing(account):
    """Neither other processes nor key files, sockets or programs; only the folder of its request.

    It fails on a kernel that lacks a step (Landlock came with Linux 5.13), where the decoder is but limited.
    """
    assert () == try_confinement().missing
    command = [sys.executable, "-m", "tests.support.media.taken_over_decoder"]
    environment = {"PATH": os.environ["PATH"]}
    run = spawn(command, env=environment, name="the decoder", user=account, stdout=subprocess.PIPE)
    output, _ = run.communicate(timeout=60)
    report = json.loads(output)
    assert "done" == report.pop("the worker lives")
    from_outside = report.pop("the worker, from outside")
    assert from_outside == ("done" if os.geteuid() == 0 and account is None else "EACCES")
    assert {} == {attempt: outcome for attempt, outcome in report.items() if outcome not in HARMLESS}
    assert 35 == len(report)
