"""One claim of a worker."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jobs.params.requests.origin import Origin
from jobs.wire.servers import ResidentModel
from pipelines.catalog.loader import load_catalog
from tests.support.gpu_worker.fakes import FakeChild, FakeClock, FakeJobStore, FakeLease, make_job
from tests.support.paths import CATALOG
from workers.gpu.claim_gate import ClaimGate
from workers.gpu.claimer import RECENT_SECONDS, Claimer
from workers.gpu.job.claimed_job import ClaimedJob
from workers.gpu.job.slots import JobSlots
from workers.gpu.server.offer import ServerOffer
from workers.ipc.child_process import ChildProcessDied
from workers.ipc.messages import Inventory


class Bench:
    """A claimer around fakes, without its thread."""

    def __init__(self, folder: Path) -> None:
        self.engine, self.job_store, self.slots = FakeChild(), FakeJobStore(), JobSlots()
        lease, self.maintenance = FakeLease(), SimpleNamespace(is_loading=False)
        store_watch = SimpleNamespace(is_away=False)
        self.gate = ClaimGate(cast(Any, lease), cast(Any, self.maintenance), cast(Any, store_watch))
        services = SimpleNamespace(
            engine=self.engine,
            job_store=self.job_store,
            slots=self.slots,
            scratch=SimpleNamespace(folder=lambda ticket: folder / ticket),
        )
        offer = ServerOffer(catalog=load_catalog(CATALOG), models=("chaos", "chaos-two"), dedicated=True)
        self.runs: list[list[str]] = []
        self.claimer = Claimer(cast(Any, services), offer, cast(Any, lease), self.gate, self.start)

    def start(self, *run: ClaimedJob) -> None:
        """Note the jobs of a run."""
        assert all(claimed.run.members == list(run) for claimed in run)
        self.runs.append([claimed.job.id for claimed in run])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_claim_says_what_this_server_has_and_takes(bench: Bench, tmp_path: Path) -> None:
    bench.job_store.queue = [make_job()]
    bench.engine.inventory = Inventory(models=(ResidentModel(id="chaos", bytes=1, where="device"),))
    claimed = bench.claimer.claim()
    assert claimed is not None
    assert ("job_1", "chaos", tmp_path / "job_1-1") == (claimed.job.id, claimed.spec.id, claimed.folder)
    (claimant,) = bench.job_store.claimants
    assert ("one", 1, ("chaos", "chaos-two"), ("chaos",), True) == (
        claimant.server_id,
        claimant.incarnation,
        claimant.models,
        claimant.resident,
        claimant.dedicated,
    )


def test_an_empty_queue_gives_no_claim(bench: Bench) -> None:
    assert bench.claimer.claim() is None


def test_a_closed_gate_starts_no_engine(bench: Bench) -> None:
    bench.gate.drain()
    assert bench.claimer.claim() is None
    assert [] == bench.engine.calls


def test_an_engine_that_does_not_start_prevents_the_claim(bench: Bench) -> None:
    bench.engine.start_error = ChildProcessDied("engine", "did not start")
    assert bench.claimer.claim() is None
    assert [] == bench.job_store.claimants


def test_a_gate_closed_during_engine_start_prevents_the_claim(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.engine, "start", bench.gate.drain)
    assert bench.claimer.claim() is None
    assert [] == bench.job_store.claimants


def test_a_busy_engine_is_not_started_for_a_job_ahead(bench: Bench) -> None:
    job = make_job(1)
    bench.slots.add(ClaimedJob.begin(job, load_catalog(CATALOG).get("chaos"), Path("/nowhere")))
    bench.job_store.queue = [make_job(2)]
    assert bench.claimer.claim() is not None
    assert [] == bench.engine.calls


def test_an_error_of_the_database_is_raised(bench: Bench) -> None:
    bench.job_store.queue = [OSError("away")]
    with pytest.raises(OSError, match="away"):
        bench.claimer.claim()


def test_an_empty_queue_is_not_asked_again_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr("workers.gpu.claimer.time.monotonic", clock)
    bench.claimer.claim()
    bench.claimer.look_again()
    assert not bench.claimer._bell.is_set()
    clock.advance(RECENT_SECONDS)
    bench.claimer.look_again()
    assert bench.claimer._bell.is_set()


def test_after_a_job_was_found_the_next_is_looked_for(bench: Bench) -> None:
    bench.job_store.queue = [make_job()]
    bench.claimer.claim()
    bench.claimer.look_again()
    assert bench.claimer._bell.is_set()


def test_a_doorbell_is_not_forgotten(bench: Bench) -> None:
    bench.claimer.claim()
    bench.claimer.ring()
    bench.claimer.look_again()
    assert bench.claimer._bell.is_set()


def test_the_only_job_of_one_doorbell_ends_the_search(bench: Bench) -> None:
    bench.claimer.claim_next()
    bench.job_store.queue = [make_job(1), make_job(2)]
    bench.claimer.ring(announced=1)
    assert not bench.claimer.claim_next()
    bench.claimer.look_again()
    assert not bench.claimer._bell.is_set()
    bench.claimer.ring(announced=1)
    assert not bench.claimer.claim_next()
    assert [] == bench.job_store.queue


@pytest.mark.parametrize("rings", [(1, 1), (float("inf"),), ()], ids=["two doorbells", "another reason", "a poll"])
def test_any_other_claim_looks_on_until_it_finds_nothing(bench: Bench, rings: tuple[float, ...]) -> None:
    bench.claimer.claim_next()
    bench.job_store.queue = [make_job(1), make_job(2)]
    for announced in rings:
        bench.claimer.ring(announced)
    assert [True, True, False] == [bench.claimer.claim_next() for _ in range(3)]


def test_a_job_whose_doorbell_was_lost_is_not_the_only_one(bench: Bench) -> None:
    bench.claimer.claim_next()  # which finds the queue empty
    now = datetime.now(UTC)
    bench.job_store.queue = [make_job(queued_at=now - timedelta(seconds=RECENT_SECONDS), started_at=now), make_job()]
    bench.claimer.ring(announced=1)
    assert bench.claimer.claim_next()


def test_a_doorbell_at_a_full_queue_looks_on(bench: Bench) -> None:
    """The first claim of a worker: the queue was never seen empty."""
    bench.job_store.queue = [make_job(1), make_job(2)]
    bench.claimer.claim_next()
    bench.claimer.ring(announced=1)
    assert bench.claimer.claim_next()


def test_a_closed_gate_does_not_count_as_an_empty_queue(bench: Bench) -> None:
    bench.maintenance.is_loading = True
    bench.claimer.claim_next()
    bench.maintenance.is_loading = False
    bench.job_store.queue = [make_job(1)]
    bench.claimer.ring(announced=1)
    assert bench.claimer.claim_next()


class TestEqualJobs:
    """The model `chaos-shared` lets four equal jobs share a run."""

    def jobs(self, *numbers: int, **columns: Any) -> list[Any]:
        return [make_job(number, model="chaos-shared", **columns) for number in numbers]

    def test_those_that_are_next_share_its_run(self, bench: Bench) -> None:
        bench.job_store.queue = [*self.jobs(1, 2, 3), make_job(4), *self.jobs(5)]
        assert all(bench.claimer.claim_next() for _ in range(3))
        assert [["job_1", "job_2", "job_3"], ["job_4"], ["job_5"]] == bench.runs
        assert ["job_1", "job_1", "job_1", "job_5"] == bench.job_store.runs_of

    def test_no_more_than_the_catalog_allows(self, bench: Bench) -> None:
        bench.job_store.queue = self.jobs(*range(1, 7))
        bench.claimer.claim_next()
        assert [["job_1", "job_2", "job_3", "job_4"]] == bench.runs
        assert 2 == len(bench.job_store.queue)

    @pytest.mark.parametrize(
        "columns",
        [
            {"fence": 2},
            {"origin": Origin(reproduces="job_0")},
            {"params": {"modality": "image", "prompt": "x", "num_images": 2}},
            {"params": {"modality": "image", "prompt": "x", "logo_url": "upl_1"}},
        ],
        ids=["begun before", "made again", "two images", "an input"],
    )
    def test_some_are_computed_alone(self, bench: Bench, columns: dict[str, Any]) -> None:
        bench.job_store.queue = [*self.jobs(1, **columns), *self.jobs(2)]
        bench.claimer.claim_next()
        assert [["job_1"]] == bench.runs
        assert [] == bench.job_store.runs_of

    def test_what_was_claimed_before_an_error_is_run(self, bench: Bench) -> None:
        bench.job_store.queue = [*self.jobs(1, 2), OSError("away")]
        assert bench.claimer.claim_next()
        assert [["job_1", "job_2"]] == bench.runs

    def test_none_is_asked_for_where_only_one_was_announced(self, bench: Bench) -> None:
        bench.claimer.claim_next()
        bench.job_store.queue = self.jobs(1)
        bench.claimer.ring(announced=1)
        assert not bench.claimer.claim_next()
        assert [] == bench.job_store.runs_of

    def test_all_that_doorbells_announced_end_the_search(self, bench: Bench) -> None:
        bench.claimer.claim_next()
        bench.job_store.queue = self.jobs(1, 2)
        bench.claimer.ring(announced=2)
        assert not bench.claimer.claim_next()
        assert [["job_1", "job_2"]] == bench.runs
