"""A real engine and a real encoder process, commanded through the handle that the supervisor uses.

The engine of most tests is forked from a process with its imports done; `started_engine` starts as in production.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.server_commands import Preload, Unload
from pipelines.catalog.spec import Deadlines
from pipelines.runtime.protocol import RawOutput, load_raw, save_raw
from tests.support.faults.chaos import draw_image
from tests.support.paths import CATALOG
from tests.support.service.fork_server import fork_server
from tests.support.service.processes import alive
from tests.support.wait import until
from workers.ipc import child_launcher
from workers.ipc.child_process import ChildProcess, ChildProcessDied, NoListener, StageOverran
from workers.ipc.messages import (
    Compute,
    Computed,
    ComputedShared,
    ComputeShared,
    Encode,
    Encoded,
    EngineCommand,
    Failed,
    StageProgress,
    Stopped,
    Sweep,
    SweepDone,
)


@pytest.fixture
def losses() -> list[str]:
    """Why processes were replaced."""
    return []


@pytest.fixture
def started_engine(monkeypatch: pytest.MonkeyPatch, losses: list[str]) -> Iterator[ChildProcess]:
    monkeypatch.setenv("ATELIER_CATALOG", str(CATALOG))
    child = ChildProcess("workers.engine.engine", on_loss=losses.append)
    yield child
    child.stop()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, started_engine: ChildProcess) -> ChildProcess:
    monkeypatch.setattr(child_launcher, "spawn", fork_server().spawn)
    return started_engine


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChildProcess]:
    monkeypatch.setenv("ATELIER_CATALOG", str(CATALOG))
    child = ChildProcess("workers.engine.encoder")
    yield child
    child.stop()


class Listener(NoListener):
    """Passes each report on."""

    def __init__(self, on_report: Callable[[StageProgress], object]) -> None:
        self.report = on_report  # type: ignore[method-assign]


def limit(seconds: float) -> Deadlines:
    """Return deadlines that are the same for every stage."""
    return Deadlines(**dict.fromkeys(Deadlines.__struct_fields__, seconds))


def ask(engine: ChildProcess, folder: Path, prompt: str, *, seconds: float = 30.0, **options: Any) -> Any:
    request = Compute(
        ticket=options.pop("ticket", "job-1"),
        model="chaos",
        modality="image",
        params={
            "modality": "image",
            "prompt": prompt,
            "output_format": "png",
            "auto_unload": options.pop("auto_unload", False),
        },
        seed=11,
        folder=str(folder / "raw"),
    )
    reports: list[StageProgress] = options.pop("reports", [])
    return engine.request(request, limit(seconds), Listener(options.pop("on_progress", reports.append)))


def order(engine: ChildProcess, command: Preload | Unload | None, reports: list[StageProgress] | None = None) -> Any:
    listener = Listener(([] if reports is None else reports).append)
    request = EngineCommand(ticket="order", command=command) if command else Sweep(ticket="order")
    return engine.request(request, limit(30.0), listener)


def test_from_parameters_to_a_file(started_engine: ChildProcess, encoder: ChildProcess, tmp_path: Path) -> None:
    reports: list[StageProgress] = []
    answer = ask(started_engine, tmp_path, "compute=0.01 steps=4 warn=careful", reports=reports)
    assert isinstance(answer, Computed)
    assert ("chaos",) == answer.inventory.on_device
    assert answer.inventory == started_engine.inventory
    assert ["load", "prepare", "step", "step", "step", "decode"] == [report.stage for report in reports]
    assert ("careful",) == reports[-1].warnings
    request = Encode(
        ticket="job-1",
        model="chaos",
        modality="image",
        params={"modality": "image", "prompt": "x", "output_format": "png"},
        raw=str(tmp_path / "raw"),
        folder=str(tmp_path / "out"),
    )
    encoded = encoder.request(request, limit(30.0))
    assert isinstance(encoded, Encoded)
    assert ("careful",) == encoded.warnings
    assert 11 == encoded.metadata["seed"]
    (output,) = encoded.outputs.files
    assert np.array_equal(draw_image(11), np.asarray(Image.open(tmp_path / "out" / output.path)))
    assert ["thumbnail", "web"] == [preview.name for preview in output.previews]
    small, whole = (Image.open(tmp_path / "out" / path) for path in (output.previews[0].path, output.path))
    gray = [np.asarray(image.convert("L")).ravel() for image in (small, whole)]  # it is noise, whose colors WebP mixes
    assert np.corrcoef(*gray)[0, 1] > 0.9


def test_an_encoder_makes_no_previews_where_none_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_CATALOG", str(CATALOG))
    monkeypatch.setenv("ATELIER_PREVIEWS", "false")
    save_raw(RawOutput(arrays={"0": draw_image(11)}, metadata={"seed": 1}), tmp_path / "raw")
    request = Encode(
        ticket="job-1",
        model="chaos",
        modality="image",
        params={"modality": "image", "prompt": "x", "output_format": "png"},
        raw=str(tmp_path / "raw"),
        folder=str(tmp_path / "out"),
    )
    encoder = ChildProcess("workers.engine.encoder")
    try:
        encoded = encoder.request(request, limit(30.0))
    finally:
        encoder.stop()
    assert isinstance(encoded, Encoded)
    assert [()] == [output.previews for output in encoded.outputs.files]
    assert ["0.png"] == [file.name for file in (tmp_path / "out").iterdir()]


def test_an_error_leaves_the_process_for_the_next_job(engine: ChildProcess, tmp_path: Path) -> None:
    broke = ask(engine, tmp_path, "fail=oops")
    assert isinstance(broke, Failed)
    assert "pipeline_failed" == broke.error.code
    assert "oops" in broke.error.message
    pid = engine.pid
    assert isinstance(ask(engine, tmp_path, "null=1"), Computed)
    assert pid == engine.pid


@pytest.mark.contract("F18")
def test_out_of_memory_is_retried_with_one_model_only(engine: ChildProcess, tmp_path: Path) -> None:
    order(engine, Preload(model="chaos-two"))
    reports: list[StageProgress] = []
    answer = ask(engine, tmp_path, "oom_once=1 steps=2", reports=reports)
    assert isinstance(answer, Computed)
    assert ("chaos",) == answer.inventory.on_device
    assert ["prepare", "step", "decode"] * 2 == [report.stage for report in reports if report.stage != "load"]
    assert (("chaos-two",), ("chaos",)) == (answer.inventory.evicted, answer.inventory.out_of_memory)
    assert () == ask(engine, tmp_path, "null=1").inventory.out_of_memory


def test_large_arrays_are_made_in_the_file_for_the_encoder(engine: ChildProcess, tmp_path: Path) -> None:
    file = tmp_path / "raw" / "0.npy"
    there: list[int] = []

    def look(report: StageProgress) -> None:
        with suppress(FileNotFoundError):  # the engine removes it while it tries again
            there.append(file.stat().st_ino)

    answer = ask(engine, tmp_path, "placed=1 steps=2 oom_once=1", on_progress=look)

    assert isinstance(answer, Computed)
    assert there[-1] == file.stat().st_ino
    assert np.array_equal(draw_image(11), load_raw(tmp_path / "raw").arrays["0"])


@pytest.mark.contract("F18")
def test_out_of_memory_twice_is_a_failure_of_its_own(engine: ChildProcess, tmp_path: Path) -> None:
    broke = ask(engine, tmp_path, "oom=1")
    assert isinstance(broke, Failed)
    assert ("gpu_out_of_memory", False) == (broke.error.code, broke.fatal)
    assert ("chaos", "chaos") == broke.inventory.out_of_memory


def test_a_device_fault_ends_the_process_and_nan_does_not(
    engine: ChildProcess, losses: list[str], tmp_path: Path
) -> None:
    odd = ask(engine, tmp_path, "nan=1")
    assert isinstance(odd, Failed)
    assert ("not_finite", False) == (odd.error.code, odd.fatal)
    pid = engine.pid
    fault = ask(engine, tmp_path, "fault=1")
    assert isinstance(fault, Failed)
    assert fault.fatal
    assert isinstance(ask(engine, tmp_path, "null=1"), Computed)
    assert engine.pid not in (None, pid)
    assert ["fault"] == losses


def test_commands_are_carried_out_between_jobs(engine: ChildProcess, tmp_path: Path) -> None:
    for model, pin in (("chaos", False), ("chaos-two", True)):
        order(engine, Preload(model=model, pin=pin))
    assert {"chaos": False, "chaos-two": True} == {model.id: model.pinned for model in engine.inventory.models}
    ask(engine, tmp_path, "null=1")
    order(engine, Unload(model="chaos"))
    assert ("chaos-two",) == engine.inventory.on_device
    order(engine, Unload())
    assert () == engine.inventory.models


def test_a_preloaded_model_runs_once_before_any_job(engine: ChildProcess, tmp_path: Path) -> None:
    reports: list[StageProgress] = []
    for _ in range(2):
        order(engine, Preload(model="chaos"), reports)
    assert ["load", "compile"] == [report.stage for report in reports]


def test_a_model_is_served_after_a_failed_first_run(engine: ChildProcess, tmp_path: Path) -> None:
    reports: list[StageProgress] = []
    answer = order(engine, Preload(model="chaos-two", pin=True), reports)
    assert isinstance(answer, SweepDone)
    assert ["load", "compile"] == [report.stage for report in reports]
    assert ("chaos-two",) == engine.inventory.on_device


def test_a_command_that_fails_is_answered_with_its_error(engine: ChildProcess) -> None:
    broke = order(engine, Preload(model="missing"))
    assert isinstance(broke, Failed)
    assert ("unknown_model", False) == (broke.error.code, broke.fatal)


def test_an_idle_model_leaves_without_a_new_process(
    engine: ChildProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATELIER_IDLE_UNLOAD_SECONDS", "0.2")
    ask(engine, tmp_path, "null=1")
    pid = engine.pid

    def gone() -> bool:
        order(engine, None)
        return not engine.inventory.models

    until(gone, 10, "the model to leave")
    assert isinstance(ask(engine, tmp_path, "null=1"), Computed)
    assert (pid, ("chaos",)) == (engine.pid, engine.inventory.on_device)


def test_a_job_can_have_its_model_unloaded_unless_it_is_pinned(engine: ChildProcess, tmp_path: Path) -> None:
    assert () == ask(engine, tmp_path, "null=1", auto_unload=True).inventory.models
    order(engine, Preload(model="chaos", pin=True))
    assert ("chaos",) == ask(engine, tmp_path, "null=1", auto_unload=True).inventory.on_device


@pytest.mark.long
def test_memory_that_no_model_accounts_for_shows(
    started_engine: ChildProcess, losses: list[str], tmp_path: Path
) -> None:
    ask(started_engine, tmp_path, "null=1")
    assert started_engine.inventory.drift < 20e6
    ask(started_engine, tmp_path, "leak=60000000")
    assert 50e6 < started_engine.inventory.drift < 80e6
    started_engine.recycle()
    assert () == started_engine.inventory.models
    ask(started_engine, tmp_path, "null=1")
    assert started_engine.inventory.drift < 20e6
    assert ["ordered"] == losses


def test_a_crashed_process_is_replaced(engine: ChildProcess, losses: list[str], tmp_path: Path) -> None:
    with pytest.raises(ChildProcessDied):
        ask(engine, tmp_path, "crash=1")
    assert isinstance(ask(engine, tmp_path, "null=1"), Computed)
    assert ["died"] == losses


def test_a_stage_that_overruns_ends_the_process(engine: ChildProcess, losses: list[str], tmp_path: Path) -> None:
    engine.start()
    pid = engine.pid
    assert pid is not None
    with pytest.raises(StageOverran):
        ask(engine, tmp_path, "hang=1", seconds=0.5)
    assert not alive(pid)
    busy = engine.busy_seconds
    assert 0.5 <= busy
    assert isinstance(ask(engine, tmp_path, "null=1"), Computed)
    assert busy < engine.busy_seconds
    assert ["overran"] == losses


def test_an_interrupt_stops_at_the_next_report(engine: ChildProcess, tmp_path: Path) -> None:
    reports: list[StageProgress] = []

    def report(progress: StageProgress) -> None:
        reports.append(progress)
        if progress.stage == "step":
            engine.interrupt("job-1", preempt=False)

    assert isinstance(ask(engine, tmp_path, "compute=60 steps=6000", on_progress=report), Stopped)
    assert len(reports) < 100
    assert isinstance(ask(engine, tmp_path, "null=1", ticket="job-2"), Computed)


def test_one_job_of_a_run_is_interrupted_by_its_own_ticket(engine: ChildProcess, tmp_path: Path) -> None:
    """Two jobs, one run: the reports of the first go on."""
    jobs = tuple(
        Compute(
            ticket=f"job-{number}",
            model="chaos-shared",
            modality="image",
            params={"modality": "image", "prompt": "compute=0.2 steps=20"},
            seed=number,
            folder=str(tmp_path / f"{number}"),
        )
        for number in (1, 2)
    )
    reported: list[str] = []

    def report(said: StageProgress) -> None:
        reported.append(said.ticket)
        if said.stage == "step" and said.ticket == "job-2":
            engine.interrupt("job-2", preempt=False)

    answer = engine.request(ComputeShared(ticket="job-1", jobs=jobs), limit(30.0), Listener(report))
    assert isinstance(answer, ComputedShared)
    assert [("job-1", Computed), ("job-2", Stopped)] == [(one.ticket, type(one)) for one in answer.answers]
    assert np.array_equal(draw_image(1), load_raw(tmp_path / "1").arrays["0"])
    assert not (tmp_path / "2").exists()
    assert reported.count("job-2") < reported.count("job-1")
    assert answer.inventory == engine.inventory


def test_an_interrupt_for_another_job_changes_nothing(engine: ChildProcess, tmp_path: Path) -> None:
    answer = ask(
        engine, tmp_path, "compute=0.1 steps=10", on_progress=lambda _: engine.interrupt("job-9", preempt=True)
    )
    assert isinstance(answer, Computed)


def test_the_process_gets_no_credential(started_engine: ChildProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_SECRET_KEY", "s3cret")
    monkeypatch.setenv("ATELIER_DATABASE_URL", "postgresql://user:s3cret@host/db")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    started_engine.start()
    assert b"s3cret" not in Path(f"/proc/{started_engine.pid}/environ").read_bytes()


def test_the_process_leaves_with_its_channel(engine: ChildProcess) -> None:
    engine.start()
    pid = engine.pid
    assert pid is not None
    assert engine._channel is not None
    engine._channel.close()
    until(lambda: not alive(pid), what="the engine to leave")


@pytest.mark.matrix
@pytest.mark.parametrize("module", ["workers.engine.engine", "workers.engine.encoder"])
def test_a_process_that_is_never_to_begin_leaves_in_silence(module: str) -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        command = [sys.executable, "-m", module, str(theirs.fileno())]
        ended = subprocess.run(command, pass_fds=[theirs.fileno()], capture_output=True, timeout=60, check=False)
    assert (0, b"") == (ended.returncode, ended.stderr)


def test_two_requests_take_turns(engine: ChildProcess, tmp_path: Path) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda n=n: answers.append(ask(engine, tmp_path / str(n), "compute=0.05", ticket=f"job-{n}"))
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [Computed] * 4 == [type(answer) for answer in answers]


def test_after_a_stop_nothing_starts_again(engine: ChildProcess, tmp_path: Path) -> None:
    ask(engine, tmp_path, "null=1")
    engine.stop()
    with pytest.raises(ChildProcessDied, match="was stopped"):
        ask(engine, tmp_path, "null=1")


def test_only_the_request_that_is_meant_is_aborted(engine: ChildProcess, tmp_path: Path) -> None:
    assert isinstance(ask(engine, tmp_path, "null=1", on_progress=lambda _: engine.abort("job-9")), Computed)
    with pytest.raises(ChildProcessDied):
        ask(engine, tmp_path, "compute=60 steps=600", on_progress=lambda _: engine.abort("job-1"))


def test_an_error_before_the_request_keeps_the_process(engine: ChildProcess, tmp_path: Path) -> None:
    pid = engine.start() and engine.pid

    class Refusal(NoListener):
        def begin(self) -> None:
            raise KeyError("not wanted any more")

    with pytest.raises(KeyError):
        engine.request(EngineCommand(ticket="order", command=Unload()), limit(30.0), Refusal())
    assert isinstance(ask(engine, tmp_path, "null=1"), Computed)
    assert pid == engine.pid


def test_a_killed_process_is_replaced(engine: ChildProcess, losses: list[str], tmp_path: Path) -> None:
    engine.start()
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    until(lambda: engine.pid is None, what="the death to be noticed")
    assert isinstance(ask(engine, tmp_path, "null=1"), Computed)
    assert ["died"] == losses


def test_after_a_failed_callback_answers_match_requests(engine: ChildProcess, tmp_path: Path) -> None:
    def fail(report: StageProgress) -> None:
        raise RuntimeError("the database said something odd")

    with pytest.raises(RuntimeError, match="odd"):
        ask(engine, tmp_path / "a", "compute=0.2 steps=10", ticket="job-a", on_progress=fail)
    answer = ask(engine, tmp_path / "b", "null=1", ticket="job-b")
    assert isinstance(answer, Computed)
    assert "job-b" == answer.ticket
    assert (tmp_path / "b" / "raw" / "raw.json").exists()


def test_a_disk_error_is_not_an_error_of_the_job(engine: ChildProcess, tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file where the folder should be")
    for prompt in ("null=1", "null=1 placed=1"):
        broke = ask(engine, tmp_path, prompt)
        assert isinstance(broke, Failed)
        assert broke.fatal


class TestSpare:
    """A second engine that waits."""

    def test_it_takes_over_with_its_imports_done(
        self, started_engine: ChildProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its family is one that only this test has, and notes when it is imported."""
        (tmp_path / "noted_family.py").write_text(
            "import os, pathlib\n"
            "from tests.support.faults.chaos import Chaos as Family\n"
            f"pathlib.Path({str(tmp_path)!r}, f'imported-{{os.getpid()}}').touch()\n"
        )
        catalog = CATALOG.read_text().replace("tests.support.faults.chaos:Chaos", "noted_family:Family", 1)
        (tmp_path / "models.toml").write_text(catalog)
        monkeypatch.setenv("ATELIER_CATALOG", str(tmp_path / "models.toml"))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
        first = started_engine.start() and started_engine.pid
        until(lambda: (tmp_path / f"imported-{first}").exists())
        started_engine.keep_spare()
        until(lambda: 2 == len(list(tmp_path.glob("imported-*"))))

        os.kill(first or 0, signal.SIGKILL)
        until(lambda: started_engine.pid is None)
        started_engine.start()
        assert (tmp_path / f"imported-{started_engine.pid}").exists()
        assert isinstance(ask(started_engine, tmp_path, "null=1"), Computed)
        assert not started_engine.has_spare

    def test_it_ends_with_its_engine(self, engine: ChildProcess) -> None:
        engine.start()
        engine.keep_spare()
        spare = engine._launcher._spare
        assert spare is not None
        engine.stop()
        assert not alive(spare.process.pid)
