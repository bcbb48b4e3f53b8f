"""From files to artifacts, with a store that is away for a while."""

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import msgspec
import pytest

from jobs.job import Job
from pipelines.runtime.protocol import Output, PreviewFile
from tests.support.gpu_worker.fakes import CHAOS, NOW, FakeJobStore, FakeStore, make_job
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.encode import EncodedJob
from workers.gpu.job.failures import OutputsRefused
from workers.gpu.job.job_store import JobStore
from workers.gpu.job.upload import LOOK_SECONDS, UploadedJob, prefix_of, upload
from workers.store_watch import StoreWatch

OUTPUT = Output(path="0.png", media_type="image/png", width=4, height=2)
ALWAYS = 10**9


class PauseClock:
    """Monotonic time that only a job's own pauses move; it refuses to go on for longer than a test may want."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.after_pause: Callable[[], object] = lambda: None
        self._began = time.monotonic()

    def now(self) -> float:
        return self._began + sum(self.pauses)

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        assert len(self.pauses) < 10_000
        self.after_pause()
        return False


class Bench:
    """A job with one file, its store and the watch of that, which checks when the test wants it to."""

    def __init__(self, folder: Path, clock: PauseClock, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "0.png").write_bytes(b"picture")
        self.folder, self.clock, self.monkeypatch = folder, clock, monkeypatch
        self.store, self.job_store = FakeStore(folder / "store"), FakeJobStore()
        self.watch = StoreWatch(self.store)
        monkeypatch.setattr("workers.gpu.job.claimed_job.time.monotonic", clock.now)
        self.claim(make_job(fence=3))

    def claim(self, job: Job) -> None:
        """Have the job claimed just now."""
        self.claimed = ClaimedJob.begin(job, CHAOS, self.folder)
        self.monkeypatch.setattr(self.claimed.cancellation, "wait", self.clock.wait)

    def run(self, *outputs: Output, seconds: float = 60.0) -> UploadedJob:
        """Upload the outputs."""
        encoded = EncodedJob(self.claimed, self.folder, outputs or (OUTPUT,), ("careful",), {"seed": 5})
        return upload(encoded, self.store, self.watch, cast(JobStore, self.job_store), seconds)


@pytest.fixture
def clock() -> PauseClock:
    return PauseClock()


@pytest.fixture
def bench(tmp_path: Path, clock: PauseClock, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, clock, monkeypatch)


def test_an_artifact_is_named_after_its_content(bench: Bench) -> None:
    uploaded = bench.run()
    (artifact,) = uploaded.artifacts
    digest = hashlib.sha256(b"picture").hexdigest()
    assert f"ten_1/job_1/3/{digest}.png" == artifact.key
    assert (7, digest, "image/png") == (artifact.bytes, artifact.sha256, artifact.media_type)
    assert {"width": 4, "height": 2, "seed": 5} == artifact.metadata
    assert [artifact.key] == list(bench.store.keys(prefix_of(bench.claimed.job)))
    assert ("careful",) == uploaded.warnings
    assert [] == bench.job_store.refused


def test_an_artifact_keeps_the_name_that_the_caller_chose(bench: Bench) -> None:
    named = Output(path="0.png", media_type="image/png", name="chair.png")
    (artifact,) = bench.run(named).artifacts
    assert {"name": "chair.png", "seed": 5} == artifact.metadata


def with_previews(bench: Bench, path: str, *names: str) -> Output:
    (bench.folder / path).write_bytes(path.encode())
    previews = []
    for name in names:
        (bench.folder / f"{path}-{name}.webp").write_bytes(name.encode())
        previews.append(PreviewFile(name=name, path=f"{path}-{name}.webp", media_type="image/webp", width=3))
    return Output(path=path, media_type="image/png", previews=tuple(previews))


def test_previews_are_stored_beside_their_output(bench: Bench) -> None:
    uploaded = bench.run(with_previews(bench, "0.png", "thumbnail", "web"))
    (artifact,) = uploaded.artifacts
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("0.png", "thumbnail", "web")}
    keys = [f"ten_1/job_1/3/{digests[name]}.webp" for name in ("thumbnail", "web")]
    assert keys == [preview.key for preview in artifact.previews]
    assert [("thumbnail", 9, "image/webp", 3), ("web", 3, "image/webp", 3)] == [
        (preview.name, preview.bytes, preview.media_type, preview.width) for preview in artifact.previews
    ]
    assert {artifact.key, *keys} == set(bench.store.keys(prefix_of(bench.claimed.job)))


def test_equal_previews_are_stored_once(bench: Bench) -> None:
    stored: list[str] = []
    put = bench.store.put
    bench.monkeypatch.setattr(bench.store, "put", lambda key, *rest: (stored.append(key), put(key, *rest)))
    uploaded = bench.run(with_previews(bench, "0.glb", "thumbnail"), with_previews(bench, "1.png", "thumbnail"))
    thumbnails = {artifact.previews[0].key for artifact in uploaded.artifacts}
    assert (1, 3) == (len(thumbnails), len(stored))
    assert set(stored) == {artifact.key for artifact in uploaded.artifacts} | thumbnails


def test_a_store_that_comes_back_costs_only_time(bench: Bench, clock: PauseClock) -> None:
    bench.store.refusals = 4
    clock.after_pause = bench.watch.check
    assert 1 == len(bench.run().artifacts)
    assert [0.2, LOOK_SECONDS, LOOK_SECONDS, LOOK_SECONDS] == clock.pauses
    assert bench.claimed.activity.store_is_refusing
    assert [bench.claimed.job.id] == bench.job_store.refused


def test_an_outage_is_waited_out_however_long(bench: Bench, clock: PauseClock) -> None:
    """The job has a day; the time that a store which answers would have does not count."""
    bench.store.refusals = 1

    def come_back_after_hours() -> None:
        assert not bench.claimed.activity.is_overdue
        if sum(clock.pauses) > 7200.0:
            bench.watch.check()

    clock.after_pause = come_back_after_hours
    assert 1 == len(bench.run(seconds=10.0).artifacts)
    assert 7200.0 < sum(clock.pauses) < 7203.0
    assert 0 == bench.store.refusals


def test_a_store_that_is_away_at_the_deadline_is_an_error(bench: Bench, clock: PauseClock) -> None:
    bench.claim(make_job(deadline_at=NOW + timedelta(seconds=90)))
    bench.store.refusals = ALWAYS
    clock.after_pause = bench.watch.check
    with pytest.raises(OutputsRefused) as caught:
        bench.run()
    assert not caught.value.refusal.full
    assert 90.0 == pytest.approx(sum(clock.pauses), abs=0.01)
    assert not bench.claimed.activity.is_overdue


def test_what_a_healthy_store_refuses_is_an_error_in_the_end(bench: Bench, clock: PauseClock) -> None:
    """Its checks pass, and this file is refused again and again."""
    bench.monkeypatch.setattr(bench.store, "check", lambda: None)
    bench.store.refusals = ALWAYS
    clock.after_pause = bench.watch.check
    with pytest.raises(OutputsRefused) as caught:
        bench.run(seconds=60.0)
    assert not caught.value.refusal.full
    assert 50.0 < sum(clock.pauses) <= 60.0


def test_all_files_of_a_job_share_the_time(bench: Bench, clock: PauseClock) -> None:
    (bench.folder / "1.png").write_bytes(b"another")
    bench.monkeypatch.setattr(bench.store, "check", lambda: None)
    bench.store.refusals = 3
    bench.store.on_put = lambda: setattr(bench.store, "refusals", ALWAYS)
    clock.after_pause = bench.watch.check
    with pytest.raises(OutputsRefused):
        bench.run(OUTPUT, msgspec.structs.replace(OUTPUT, path="1.png"), seconds=5.0)
    assert sum(clock.pauses) <= 5.0


def test_a_store_that_comes_back_empty_gets_all_files_again(bench: Bench, clock: PauseClock) -> None:
    """A bucket that was removed and made again; a completed job must have each of its outputs."""
    (bench.folder / "1.png").write_bytes(b"another")

    def vanish() -> None:
        bench.store.on_put = lambda: None
        bench.store.remove_prefix("")
        bench.store.refusals = 1

    bench.store.on_put = vanish
    clock.after_pause = bench.watch.check
    uploaded = bench.run(OUTPUT, msgspec.structs.replace(OUTPUT, path="1.png"))
    assert 2 == len(uploaded.artifacts)
    assert {artifact.key for artifact in uploaded.artifacts} == set(bench.store.keys())


def test_a_full_store_is_an_error_at_once(bench: Bench, clock: PauseClock) -> None:
    bench.store.refusals, bench.store.full = ALWAYS, True
    with pytest.raises(OutputsRefused) as caught:
        bench.run()
    assert caught.value.refusal.full
    assert ALWAYS - 1 == bench.store.refusals
    assert ([], False, []) == (clock.pauses, bench.watch.is_away, bench.job_store.refused)


def test_a_refusal_is_noted_once_the_database_is_back(bench: Bench, clock: PauseClock) -> None:
    bench.store.refusals, bench.job_store.refusal_errors = 5, 3
    clock.after_pause = bench.watch.check
    bench.run()
    assert ([bench.claimed.job.id], 0) == (bench.job_store.refused, bench.job_store.refusal_errors)


@pytest.mark.parametrize("why", ["preempt", "lose_claim"])
def test_an_upload_ends_when_the_job_is_unwanted(bench: Bench, why: str) -> None:
    bench.claimed = ClaimedJob.begin(make_job(), CHAOS, bench.folder)
    getattr(bench.claimed.cancellation, why)()
    bench.store.refusals = ALWAYS
    with pytest.raises(JobUnwanted):
        bench.run(seconds=1000.0)
    assert ALWAYS - 1 == bench.store.refusals
