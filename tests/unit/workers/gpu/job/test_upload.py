"""From files to artifacts, with a store that is away for a while."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from core.errors import StorageUnavailable
from pipelines.runtime.protocol import Output
from tests.support.gpu_worker.fakes import CHAOS, FakeStore, make_job
from workers.gpu.job.cancellation import JobUnwanted
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.encode import EncodedJob
from workers.gpu.job.upload import UploadedJob, prefix_of, upload

OUTPUT = Output(path="0.png", media_type="image/png", width=4, height=2)
ALWAYS = 10**9


class PauseClock:
    """A clock that only its own pauses move; it refuses to go on for longer than a test may want."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def now(self) -> float:
        return sum(self.pauses)

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        assert len(self.pauses) < 1000
        return False


@pytest.fixture
def clock() -> PauseClock:
    return PauseClock()


@pytest.fixture
def encoded(tmp_path: Path, clock: PauseClock, monkeypatch: pytest.MonkeyPatch) -> EncodedJob:
    """A job with one file, whose pauses move the clock."""
    (tmp_path / "0.png").write_bytes(b"picture")
    claimed = ClaimedJob.begin(make_job(fence=3), CHAOS, tmp_path)
    monkeypatch.setattr(claimed.cancellation, "wait", clock.wait)
    return EncodedJob(claimed, tmp_path, (OUTPUT,), ("careful",), {"seed": 5})


def run(encoded: EncodedJob, store: FakeStore, clock: PauseClock, seconds: float = 60.0) -> UploadedJob:
    return upload(encoded, store, seconds, clock.now)


def test_an_artifact_is_named_after_its_content(encoded: EncodedJob, clock: PauseClock, tmp_path: Path) -> None:
    store = FakeStore(tmp_path / "store")
    uploaded = run(encoded, store, clock)
    (artifact,) = uploaded.artifacts
    digest = hashlib.sha256(b"picture").hexdigest()
    assert f"ten_1/job_1/3/{digest}.png" == artifact.key
    assert (7, digest, "image/png") == (artifact.bytes, artifact.sha256, artifact.media_type)
    assert {"width": 4, "height": 2, "seed": 5} == artifact.metadata
    assert [artifact.key] == list(store.keys(prefix_of(encoded.claimed.job)))
    assert ("careful",) == uploaded.warnings


def test_an_artifact_keeps_the_name_that_the_caller_chose(
    encoded: EncodedJob, clock: PauseClock, tmp_path: Path
) -> None:
    named = Output(path="0.png", media_type="image/png", name="chair.png")
    job = EncodedJob(encoded.claimed, tmp_path, (named,), (), {"seed": 5})
    (artifact,) = run(job, FakeStore(tmp_path / "store"), clock).artifacts
    assert {"name": "chair.png", "seed": 5} == artifact.metadata


def test_a_store_that_comes_back_costs_only_time(encoded: EncodedJob, clock: PauseClock, tmp_path: Path) -> None:
    assert 1 == len(run(encoded, FakeStore(tmp_path / "store", 3), clock).artifacts)
    assert [0.2, 0.4, 0.8] == clock.pauses
    assert encoded.claimed.activity.store_is_refusing


def test_a_store_that_stays_away_is_an_error_after_its_time(
    encoded: EncodedJob, clock: PauseClock, tmp_path: Path
) -> None:
    with pytest.raises(StorageUnavailable) as caught:
        run(encoded, FakeStore(tmp_path / "store", ALWAYS), clock)
    assert not caught.value.full
    assert 50.0 < clock.now() <= 60.0


def test_all_files_of_a_job_share_the_time(encoded: EncodedJob, clock: PauseClock, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"another")
    second = msgspec.structs.replace(OUTPUT, path="1.png")
    job = EncodedJob(encoded.claimed, tmp_path, (OUTPUT, second), (), {})
    store = FakeStore(tmp_path / "store", 3)
    store.on_put = lambda: setattr(store, "refusals", ALWAYS)
    with pytest.raises(StorageUnavailable):
        run(job, store, clock, seconds=5.0)
    assert clock.now() <= 5.0


def test_a_full_store_is_an_error_at_once(encoded: EncodedJob, clock: PauseClock, tmp_path: Path) -> None:
    store = FakeStore(tmp_path / "store", ALWAYS, full=True)
    with pytest.raises(StorageUnavailable) as caught:
        run(encoded, store, clock)
    assert caught.value.full
    assert ALWAYS - 1 == store.refusals
    assert [] == clock.pauses


@pytest.mark.parametrize("why", ["preempt", "lose_claim"])
def test_an_upload_ends_when_the_job_is_unwanted(tmp_path: Path, why: str) -> None:
    (tmp_path / "0.png").write_bytes(b"picture")
    claimed = ClaimedJob.begin(make_job(), CHAOS, tmp_path)
    getattr(claimed.cancellation, why)()
    store = FakeStore(tmp_path / "store", ALWAYS)
    with pytest.raises(JobUnwanted):
        upload(EncodedJob(claimed, tmp_path, (OUTPUT,), (), {}), store, 1000.0)
    assert ALWAYS - 1 == store.refusals
