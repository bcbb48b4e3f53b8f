"""From files to artifacts, with a store that is away for a while."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import StorageUnavailable
from core.storage.directory import DirectoryStore
from pipelines.runtime.protocol import Output, Outputs
from workers.gpu.job.upload import UploadAbandoned, prefix_of, upload

JOB: Any = SimpleNamespace(id="job_1", tenant="ten_1", fence=3)
OUTPUTS = Outputs(files=(Output(path="0.png", media_type="image/png", width=4, height=2),))


class Flaky(DirectoryStore):
    """A store that fails so many times first."""

    def __init__(self, folder: Path, failures: int, *, full: bool = False) -> None:
        super().__init__(folder, "http://here", "secret")
        self.failures, self.full = failures, full

    def put(self, key: str, source: Path, media_type: str) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("away", full=self.full)
        super().put(key, source, media_type)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0.png").write_bytes(b"picture")
    return tmp_path


class Clock:
    """A clock that only its own pauses move; it refuses to go on for longer than a test may want."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def now(self) -> float:
        return sum(self.pauses)

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        assert len(self.pauses) < 1000
        return False


def run(store: DirectoryStore, folder: Path, *, patience: float = 60.0, clock: Clock | None = None) -> Any:
    clock = clock or Clock()
    return upload(
        store, JOB, OUTPUTS, folder, metadata={"seed": 5}, patience=patience, wait=clock.wait, clock=clock.now
    )


def test_an_artifact_is_named_after_its_content(folder: Path) -> None:
    store = Flaky(folder / "store", 0)
    (artifact,) = run(store, folder)
    digest = hashlib.sha256(b"picture").hexdigest()
    assert f"ten_1/job_1/3/{digest}.png" == artifact.key
    assert (7, digest, "image/png") == (artifact.bytes, artifact.sha256, artifact.media_type)
    assert {"width": 4, "height": 2, "seed": 5} == artifact.metadata
    assert [artifact.key] == list(store.keys(prefix_of(JOB)))


def test_an_artifact_keeps_the_name_that_the_caller_chose(folder: Path) -> None:
    outputs = Outputs(files=(Output(path="0.png", media_type="image/png", name="chair.png"),))
    (artifact,) = upload(
        Flaky(folder / "store", 0), JOB, outputs, folder, metadata={"seed": 5}, patience=60, wait=lambda _: False
    )

    assert {"name": "chair.png", "seed": 5} == artifact.metadata


def test_a_store_that_comes_back_costs_only_time(folder: Path) -> None:
    clock = Clock()
    assert 1 == len(run(Flaky(folder / "store", 3), folder, clock=clock))
    assert [0.2, 0.4, 0.8] == clock.pauses


def test_a_store_that_stays_away_is_an_error_after_the_patience(folder: Path) -> None:
    clock = Clock()
    with pytest.raises(StorageUnavailable) as caught:
        run(Flaky(folder / "store", 10**9), folder, patience=60.0, clock=clock)
    assert not caught.value.full
    assert 50.0 < clock.now() <= 60.0


def test_a_full_store_is_an_error_at_once(folder: Path) -> None:
    store = Flaky(folder / "store", 10**9, full=True)
    with pytest.raises(StorageUnavailable) as caught:
        run(store, folder)
    assert caught.value.full
    assert 10**9 - 1 == store.failures


def test_waiting_ends_when_the_claim_is_gone(folder: Path) -> None:
    with pytest.raises(UploadAbandoned):
        upload(Flaky(folder / "store", 10**9), JOB, OUTPUTS, folder, metadata={}, patience=60.0, wait=lambda _: True)
