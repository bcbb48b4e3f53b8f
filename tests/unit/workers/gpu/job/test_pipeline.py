"""A claimed job from its claim to its end, with fake children, store and database."""

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.errors.unavailable import StorageUnavailable
from jobs.job import Job, JobError, JobStatus
from jobs.manifests.environment import BundleWeights
from jobs.params.requests.origin import Origin
from pipelines.catalog.spec import Defaults
from tests.support.gpu_worker.fakes import (
    CHAOS,
    NOW,
    WAIT_SECONDS,
    FakeClock,
    join_all,
    report,
    spawn_thread,
    stopped,
)
from tests.support.gpu_worker.job_bench import Bench
from tests.support.wait import until
from workers.environment import environment_of
from workers.gpu.job.upload import prefix_of
from workers.ipc.child_process import ChildProcessDied, StageOverran
from workers.ipc.messages import Computed, EncodePart, Failed, Ready, SoundPart

PICTURE = {"modality": "image", "prompt": "null=1", "output_format": "png", "input_image": "inp_1"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def outcome(ended: Job | None) -> JobStatus | None:
    return None if ended is None else ended.status


def test_a_job_is_computed_encoded_stored_and_committed(bench: Bench) -> None:
    claimed = bench.claim()
    assert JobStatus.COMPLETED == outcome(bench.run(claimed))
    (verb, _, artifacts, warnings, cost) = bench.job_store.writes[-1]
    assert ("commit", ("careful",), CHAOS.price_usd) == (verb, warnings, cost)
    assert [artifact.key for artifact in artifacts] == list(bench.store.keys(prefix_of(claimed.job)))
    assert ["free"] == bench.freed
    assert {"seed": 7} == artifacts[0].metadata
    (used,) = bench.job_store.used
    assert used.gpu_seconds >= 0.0


def test_a_completed_job_names_its_environment(bench: Bench) -> None:
    weights = (BundleWeights(bundle="chaos", revision="f" * 40, files={"a.safetensors": "0"}),)
    bench.engine.ready = Ready(product="NVIDIA H200", versions={"torch": "2.13"})
    bench.engine.scripts = [[report(0.5), Computed(weights=weights)]]
    bench.run(bench.claim())
    (run,), ((digest, made),) = bench.job_store.runs, bench.job_store.environments.items()
    assert (run.environment, made.digest) == (digest, digest)
    assert ("chaos", weights, {"torch": "2.13"}, "NVIDIA H200") == (
        made.model,
        made.weights,
        made.versions,
        made.device,
    )
    assert {"load", "compute", "encode", "upload"} == run.seconds.keys()


@pytest.mark.parametrize(("expected", "warned"), [(None, False), ("same", False), ("e" * 64, True)])
def test_a_job_that_is_made_again_elsewhere_has_a_warning(bench: Bench, expected: str | None, warned: bool) -> None:
    if expected == "same":
        bench.run(bench.claim(1))
        (expected,) = bench.job_store.environments
    bench.run(bench.claim(2, origin=Origin(reproduces="job_0", environment=expected)))
    (_, _, _, warnings, _) = bench.job_store.writes[-1]
    assert warned == any(text.startswith("job_0 was made with other software") for text in warnings)


def test_what_changes_no_pixel_is_not_in_the_environment() -> None:
    spec = CHAOS
    dearer = msgspec.structs.replace(spec, price_usd=9.0, title="Another")
    wider = msgspec.structs.replace(spec, defaults=Defaults(width=512))
    digests = [environment_of(each, (), {}, "cpu").digest for each in (spec, dearer, wider)]
    assert digests[0] == digests[1] != digests[2]


def test_the_engine_gets_what_the_caller_asked_for(bench: Bench) -> None:
    claimed = bench.claim()
    bench.run(claimed)
    (request,) = bench.engine.requests
    assert ("chaos", 7, claimed.job.params, {}) == (request.model, request.seed, request.params, request.inputs)
    assert claimed.ticket == request.ticket == bench.encoder.requests[0].ticket


def test_the_price_is_that_of_every_image(bench: Bench) -> None:
    params = {"modality": "image", "prompt": "null=1", "output_format": "png", "num_images": 3}
    bench.run(bench.claim(params=params))
    assert pytest.approx(3 * CHAOS.price_usd) == bench.job_store.writes[-1][-1]


def test_a_job_that_failed_ends_with_the_error_of_the_engine(bench: Bench) -> None:
    bench.engine.scripts = [[Failed(error=JobError("pipeline_failed", "oops"))]]
    assert JobStatus.FAILED == outcome(bench.run(bench.claim()))
    assert [("fail", "job_1", "pipeline_failed", "oops")] == bench.job_store.writes
    assert [] == bench.encoder.requests


def test_a_job_that_cannot_be_encoded_fails(bench: Bench) -> None:
    bench.encoder.scripts = [[Failed(error=JobError("encode_failed", "odd"))]]
    assert JobStatus.FAILED == outcome(bench.run(bench.claim()))
    assert ["free"] == bench.freed


def test_a_fault_of_the_device_costs_an_attempt(bench: Bench) -> None:
    bench.engine.scripts = [[Failed(error=JobError("x", "illegal memory access"), fatal=True)]]
    assert JobStatus.QUEUED == outcome(bench.run(bench.claim()))
    assert [("lose", "job_1", "attempts_exhausted")] == [write[:3] for write in bench.job_store.writes]
    assert "illegal memory access" in bench.job_store.writes[-1][3]


@pytest.mark.parametrize(
    ("child", "error", "code", "cause"),
    [
        ("engine", StageOverran("step", 120.0), "stage_deadline_exceeded", "stage step took longer than 120 s"),
        ("encoder", StageOverran("encode", 60.0), "stage_deadline_exceeded", "stage encode took longer than 60 s"),
        ("engine", ChildProcessDied("engine"), "engine_lost", "the engine died"),
        ("encoder", ChildProcessDied("encoder"), "attempts_exhausted", "the encoder died"),
    ],
)
def test_a_child_that_is_lost_costs_an_attempt(
    bench: Bench, child: str, error: Exception, code: str, cause: str
) -> None:
    """The code is that of the job's end when the attempt was its last."""
    getattr(bench, child).scripts = [[error]]
    assert JobStatus.QUEUED == outcome(bench.run(bench.claim()))
    assert [("lose", "job_1", code)] == [write[:3] for write in bench.job_store.writes]
    assert cause in bench.job_store.writes[-1][3]


def test_a_child_that_dies_while_preempted_costs_no_attempt(bench: Bench) -> None:
    claimed = bench.claim()
    bench.engine.scripts = [[lambda: bench.preempt(claimed), ChildProcessDied("engine")]]
    assert JobStatus.QUEUED == outcome(bench.run(claimed))
    assert [("release", "job_1")] == bench.job_store.writes


def test_a_claim_that_is_gone_at_the_commit_leaves_no_outputs(bench: Bench) -> None:
    claimed = bench.claim()
    bench.job_store.gone.add("job_1")
    assert bench.run(claimed) is None
    assert ["commit"] == bench.job_store.verbs()
    assert [] == list(bench.store.keys(prefix_of(claimed.job)))


def test_outputs_that_cannot_be_removed_end_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(prefix: str) -> int:
        raise StorageUnavailable("away")

    monkeypatch.setattr(bench.store, "remove_prefix", refuse)
    bench.job_store.gone.add("job_1")
    assert bench.run(bench.claim()) is None
    assert ["commit"] == bench.job_store.verbs()


def test_the_lease_of_a_job_outlives_a_long_commit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away for longer than any stage may take: the owner renews as soon as it is back."""
    claimed, commit = bench.claim(), bench.job_store.commit
    clock = FakeClock()
    clock.now = time.monotonic()

    def late(*details: Any, **more: Any) -> Any:
        clock.advance(3600.0)
        assert not claimed.activity.is_overdue
        return commit(*details, **more)

    monkeypatch.setattr(claimed.activity, "_clock", clock)
    monkeypatch.setattr(bench.job_store, "commit", late)
    assert JobStatus.COMPLETED == outcome(bench.run(claimed))


@pytest.mark.parametrize(("why", "writes"), [("preempt", [("release", "job_1")]), ("lose_claim", [])])
def test_a_job_unwanted_before_its_turn_is_not_computed(bench: Bench, why: str, writes: list[Any]) -> None:
    claimed = bench.claim()
    getattr(bench, why)(claimed)
    bench.run(claimed)
    assert writes == bench.job_store.writes
    assert [] == bench.engine.requests


@pytest.mark.parametrize(("why", "writes"), [("preempt", [("release", "job_1")]), ("lose_claim", [])])
def test_a_job_unwanted_before_it_is_sent_is_not_computed(bench: Bench, why: str, writes: list[Any]) -> None:
    """The engine may load a model for a long time before it is this request's turn."""
    claimed = bench.claim()
    bench.engine.before_turn = lambda: getattr(bench, why)(claimed)
    bench.run(claimed)
    assert writes == bench.job_store.writes
    assert [] == bench.engine.requests


@pytest.mark.parametrize(("why", "writes"), [("preempt", [("release", "job_2")]), ("lose_claim", [])])
def test_a_job_unwanted_while_it_waits_for_the_device_leaves(bench: Bench, why: str, writes: list[Any]) -> None:
    go_on, began = threading.Event(), threading.Event()
    bench.engine.scripts = [[began.set, lambda: go_on.wait(WAIT_SECONDS), stopped()]]
    first, second = bench.claim(1), bench.claim(2)
    threads = [spawn_thread(lambda: bench.run(first))]
    assert began.wait(WAIT_SECONDS)
    threads.append(spawn_thread(lambda: bench.run(second)))
    getattr(bench, why)(second)
    join_all(threads[1:])
    assert writes == bench.job_store.writes
    go_on.set()
    join_all(threads)


@pytest.mark.parametrize(("why", "writes"), [("preempt", [("release", "job_1")]), ("lose_claim", [])])
def test_a_job_unwanted_while_it_computes_is_interrupted(bench: Bench, why: str, writes: list[Any]) -> None:
    claimed = bench.claim()
    bench.engine.scripts = [[lambda: getattr(bench, why)(claimed), report(0.5), stopped()]]
    bench.run(claimed)
    assert writes == bench.job_store.writes
    assert [(claimed.ticket, why == "preempt")] * 2 == bench.engine.interrupts


def test_a_job_whose_input_is_gone_fails(bench: Bench) -> None:
    assert JobStatus.FAILED == outcome(bench.run(bench.claim(params=PICTURE)))
    assert [("fail", "job_1", "input_unreachable")] == [write[:3] for write in bench.job_store.writes]
    assert [] == bench.engine.requests


def test_an_input_reaches_the_engine_as_a_file(bench: Bench) -> None:
    source = bench.folder / "clean.png"
    source.write_bytes(b"clean")
    bench.store.put("clean/1.png", source, "image/png")
    bench.job_store.copies = {"input_image": "clean/1.png"}
    bench.run(bench.claim(params=PICTURE))
    assert b"clean" == Path(bench.engine.requests[0].inputs["input_image"]).read_bytes()


@pytest.mark.parametrize("full", [False, True])
def test_a_store_that_is_away_for_inputs_postpones_the_job(bench: Bench, full: bool) -> None:
    """A full disk is this machine's own, so another machine may do."""
    bench.job_store.copies = {"input_image": "clean/1.png"}
    bench.store.refusals, bench.store.full = 1, full
    assert JobStatus.QUEUED == outcome(bench.run(bench.claim(params=PICTURE)))
    assert [("postpone", "job_1")] == bench.job_store.writes
    assert bench.watch.is_away


def test_a_store_that_is_away_for_outputs_holds_the_job(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files and the claim are kept, the arrays are not; then the outputs are stored, and nothing is done again."""
    monkeypatch.setattr("workers.gpu.job.upload.LOOK_SECONDS", 0.01)
    claimed, computed = bench.claim(), threading.Event()
    (raw := claimed.folder / "raw").mkdir(parents=True)
    bench.store.refusals, bench.store.on_refusal = 1, computed.set
    running = spawn_thread(lambda: bench.run(claimed))
    assert computed.wait(WAIT_SECONDS)
    until(lambda: ["job_1"] == bench.job_store.refused)
    assert ([], True) == (bench.job_store.writes, bench.watch.is_away)
    assert ([True], False) == ([file.is_file() for file in (claimed.folder / "out").iterdir()], raw.exists())
    assert bench.watch.check()
    join_all([running])
    assert ["commit"] == bench.job_store.verbs()
    assert (1, 1) == (len(bench.engine.requests), len(bench.encoder.requests))


def test_a_store_that_is_away_at_the_deadline_fails_the_job(bench: Bench) -> None:
    bench.store.refusals = 10**9
    claimed = bench.claim(deadline_at=NOW + timedelta(seconds=0.3))
    assert JobStatus.FAILED == outcome(bench.run(claimed))
    error = JobError.of(StorageUnavailable)
    assert [("fail", "job_1", error.code, error.message)] == bench.job_store.writes


def test_a_full_store_fails_the_job(bench: Bench) -> None:
    bench.store.refusals, bench.store.full = 10**9, True
    assert JobStatus.FAILED == outcome(bench.run(bench.claim()))
    assert [("fail", "job_1", "storage_unavailable")] == [write[:3] for write in bench.job_store.writes]


@pytest.mark.parametrize(("why", "writes"), [("preempt", [("postpone", "job_1")]), ("lose_claim", [])])
def test_an_upload_that_waits_for_the_store_can_be_given_up(bench: Bench, why: str, writes: list[Any]) -> None:
    claimed = bench.claim()
    bench.store.refusals = 10**9
    bench.store.on_refusal = lambda: getattr(bench, why)(claimed)
    join_all([spawn_thread(lambda: bench.run(claimed))])
    assert writes == bench.job_store.writes


def test_the_next_job_computes_while_this_one_is_encoded(bench: Bench) -> None:
    computing, encoding = threading.Event(), threading.Event()
    bench.encoder.scripts = [[encoding.set, lambda: computing.wait(WAIT_SECONDS), Failed(error=JobError("x", "over"))]]
    bench.engine.scripts = [[Computed()], [computing.set, stopped()]]
    first, second = bench.claim(1), bench.claim(2)
    threads = [spawn_thread(lambda: bench.run(first))]
    assert encoding.wait(WAIT_SECONDS)
    threads.append(spawn_thread(lambda: bench.run(second)))
    assert computing.wait(WAIT_SECONDS)
    join_all(threads)


def test_progress_is_shown_as_the_engine_reports_it(bench: Bench) -> None:
    written = bench.job_store.progress_of
    bench.engine.scripts = [[report(0.25), lambda: until(lambda: [0.25] == written("job_1")), report(0.5), Computed()]]
    bench.run(bench.claim())
    until(lambda: [0.25, 0.5] == written("job_1"))


def test_a_job_never_waits_for_its_progress_to_be_shown(bench: Bench) -> None:
    """Reports that come meanwhile are shown as one, the last of them."""
    gate, writing = threading.Event(), threading.Event()

    def wait() -> None:
        writing.set()
        gate.wait(WAIT_SECONDS)

    bench.job_store.progress_gate = wait
    bench.engine.scripts = [
        [report(0.1), lambda: writing.wait(WAIT_SECONDS), *(report(part) for part in (0.2, 0.3, 0.4)), Computed()]
    ]
    assert JobStatus.COMPLETED == outcome(bench.run(bench.claim()))
    assert [] == bench.job_store.progress_of("job_1")
    gate.set()
    until(lambda: [0.1, 0.4] == bench.job_store.progress_of("job_1"))


def test_the_stages_of_a_job_are_timed(bench: Bench) -> None:
    claimed = bench.claim()
    bench.engine.scripts = [[report(0.0, "prepare"), report(0.5), report(0.9, "decode"), Computed()]]
    bench.run(claimed)
    assert ["load", "compute", "encode", "upload"] == [phase.name for phase in claimed.activity.timer.phases]


PARTS = [SoundPart(number=number, file=f"part_{number}.npy", rate=24_000) for number in range(3)]


def test_parts_are_published_before_the_job_is_encoded(bench: Bench) -> None:
    bench.engine.scripts = [[*PARTS, Computed()]]
    assert JobStatus.COMPLETED == outcome(bench.run(bench.claim()))
    assert [0, 7, 14] == [begin for _, _, begin, _ in bench.pieces.published]
    assert b"part 0;part 1;part 2;" == b"".join(data for *_, data in bench.pieces.published)
    assert [True] * 3 + [False] == [isinstance(one, EncodePart) for one in bench.encoder.requests]


def test_a_part_that_cannot_be_encoded_costs_no_job(bench: Bench) -> None:
    bench.engine.scripts = [[*PARTS, Computed()]]
    bench.encoder.scripts = [[ChildProcessDied("encoder")]]
    assert JobStatus.COMPLETED == outcome(bench.run(bench.claim()))
    assert [] == bench.pieces.published


def test_parts_of_a_cancelled_job_are_not_published(bench: Bench) -> None:
    claimed = bench.claim()
    bench.engine.scripts = [[PARTS[0], lambda: bench.lose_claim(claimed), *PARTS[1:], stopped()]]
    bench.run(claimed)
    assert b"part 0;" == b"".join(data for *_, data in bench.pieces.published)
