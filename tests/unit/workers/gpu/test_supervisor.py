"""When the supervisor claims, what it keeps alive, and what becomes of its jobs when it stops; with fakes."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from core.retry import Backoff
from core.settings import Settings
from jobs.job import JobError
from pipelines.catalog.loader import load_catalog
from tests.support.gpu_worker.fakes import (
    WAIT_SECONDS,
    FakeChild,
    FakeJobStore,
    FakeLease,
    FakeStore,
    healthy,
    join_all,
    make_job,
    report,
    spawn_thread,
    stopped,
)
from tests.support.paths import CATALOG
from tests.support.wait import until
from workers import store_watch
from workers.gpu import services, supervisor
from workers.gpu.server.lease import ServerIdLost
from workers.gpu.server.offer import ServerOffer
from workers.gpu.supervisor import Supervisor
from workers.ipc.child_process import ChildProcessDied
from workers.ipc.messages import Computed, Failed

ALWAYS = 10**9


class Bench:
    """A supervisor around fakes; `listened` and `left` are what it says to the process around it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.encoder = FakeChild(), FakeChild()
        self.job_store, self.lease = FakeJobStore(), FakeLease()
        self.store = FakeStore(folder / "store")
        self.listened: list[bool] = []
        self.left = threading.Event()
        self.folder = folder
        self.monkeypatch = monkeypatch

    def build(self, **changes: Any) -> Supervisor:
        """Return a supervisor with these settings, not started."""
        settings = Settings(
            **(
                {
                    "server_id": "one",
                    "scratch_dir": str(self.folder / "scratch"),
                    "poll_seconds": 0.02,
                    "renew_seconds": 0.04,
                    "server_lease_seconds": 0.08,
                    "progress_seconds": 0.0,
                    "grace_seconds": 0.1,
                }
                | changes
            )
        )
        children = iter([self.engine, self.encoder])
        self.monkeypatch.setattr(services, "ChildProcess", lambda *_, **__: next(children))
        self.monkeypatch.setattr(services, "JobStore", lambda *_: self.job_store)
        self.monkeypatch.setattr(supervisor, "ServerLease", lambda *_: self.lease)
        return Supervisor(
            settings,
            ServerOffer(catalog=load_catalog(CATALOG), models=("chaos",)),
            db=cast(Any, None),
            store=self.store,
            listen=self.listened.append,
            leave=self.left.set,
        )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


Start = Callable[..., Supervisor]


@pytest.fixture
def start(bench: Bench) -> Iterator[Start]:
    """Start a supervisor with these settings; it is stopped at the end."""
    started: list[Supervisor] = []

    def begin(**changes: Any) -> Supervisor:
        worker = bench.build(**changes)
        started.append(worker)
        worker.start()
        return worker

    yield begin
    join_all([spawn_thread(worker.stop) for worker in started])


@pytest.fixture
def quick_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check a store that is away every 10 ms, and look as often whether it is back."""
    monkeypatch.setattr(store_watch, "BACKOFF", Backoff(first=0.01, longest=0.01))
    monkeypatch.setattr("workers.gpu.job.upload.LOOK_SECONDS", 0.01)


def beats(bench: Bench, more: int = 3) -> None:
    """Wait until the keeper has gone round so many times more."""
    target = len(bench.lease.facts) + more
    until(lambda: len(bench.lease.facts) >= target, WAIT_SECONDS)


def state(bench: Bench) -> str:
    """Return what the last heartbeat said."""
    return bench.lease.facts[-1].state if bench.lease.facts else ""


def endings(bench: Bench) -> list[str]:
    """Return how jobs ended, in order."""
    return [verb for verb in bench.job_store.verbs() if verb in ("commit", "fail", "lose", "release", "postpone")]


def hold(bench: Bench) -> tuple[threading.Event, threading.Event]:
    """Have the engine's next job compute until the second event; the first says that it has begun."""
    began, go_on = threading.Event(), threading.Event()
    bench.engine.scripts.append([began.set, report(0.0), lambda: go_on.wait(WAIT_SECONDS), report(0.5), stopped()])
    return began, go_on


def test_a_start_takes_the_name_and_earlier_jobs(bench: Bench, start: Start) -> None:
    start()
    assert ["take"] == bench.lease.calls
    assert [("reclaim", "one", 1)] == bench.job_store.writes
    assert "start" in bench.engine.calls
    assert "start" in bench.encoder.calls


def test_a_job_is_claimed_and_runs_to_its_end(bench: Bench, start: Start) -> None:
    bench.job_store.queue = [make_job(1), make_job(2)]
    start()
    until(lambda: ["commit"] * 2 == endings(bench))
    claimant = bench.job_store.claimants[0]
    assert ("one", 1, ("chaos",), False) == (
        claimant.server_id,
        claimant.incarnation,
        claimant.models,
        claimant.dedicated,
    )


def test_a_job_is_looked_for_once_the_one_before_is_written(
    bench: Bench, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it counts against its tenant's cap, which may be why there was none when the device became free."""
    fail = bench.job_store.fail

    def failed(*details: Any) -> Any:
        until(lambda: len(bench.job_store.claimants) > 1, WAIT_SECONDS)  # the look at the free device
        bench.job_store.queue.append(make_job(2))
        return fail(*details)

    monkeypatch.setattr(bench.job_store, "fail", failed)
    bench.job_store.queue = [make_job(1, capped=True)]
    bench.engine.scripts.append([Failed(error=JobError("gpu_out_of_memory", "No room."))])
    start(poll_seconds=3600.0)
    until(lambda: ["fail", "commit"] == endings(bench), WAIT_SECONDS)


def test_an_empty_queue_is_asked_once_after_a_job(bench: Bench, start: Start) -> None:
    """Not when the device becomes free and again at the end of the job."""
    bench.job_store.queue = [make_job(1)]
    worker = start(poll_seconds=3600.0)
    until(lambda: ["commit"] == endings(bench) and not worker._services.slots.jobs, WAIT_SECONDS)
    beats(bench)
    assert 2 == len(bench.job_store.claimants)
    bench.job_store.queue = [make_job(2)]
    worker.ring()
    until(lambda: ["commit"] * 2 == endings(bench), WAIT_SECONDS)


@pytest.mark.parametrize("desired", ["cordoned", "draining"])
def test_nothing_is_claimed_unless_the_server_is_to_be_active(bench: Bench, start: Start, desired: str) -> None:
    bench.lease.desired = [desired]
    start()
    beats(bench)
    claims = len(bench.job_store.claimants)
    beats(bench)
    assert claims == len(bench.job_store.claimants)
    assert not bench.listened[-1]
    bench.lease.desired = ["active"]
    until(lambda: len(bench.job_store.claimants) > claims)


def test_nothing_is_claimed_while_the_clock_is_skewed(bench: Bench, start: Start) -> None:
    bench.lease.skewed = True
    start()
    beats(bench)
    assert [] == bench.job_store.claimants
    assert "clock_skewed" == state(bench)


def test_nothing_is_claimed_before_the_store_answers(bench: Bench, start: Start, quick_checks: None) -> None:
    bench.store.refusals = ALWAYS
    start()
    beats(bench)
    assert [] == bench.job_store.claimants
    assert ("store_away", "unreachable") == (state(bench), bench.lease.facts[-1].problem)
    assert not bench.listened[-1]
    bench.store.refusals = 0
    until(lambda: bench.job_store.claimants)
    until(lambda: ("idle", None) == (state(bench), bench.lease.facts[-1].problem))


def test_a_store_that_goes_away_stops_the_claims(bench: Bench, start: Start, quick_checks: None) -> None:
    """The job that was computed is held with its claim, and the next one is not begun before it is stored."""
    bench.job_store.queue = [make_job(1), make_job(2)]
    bench.encoder.scripts = [[lambda: setattr(bench.store, "refusals", ALWAYS), healthy]]
    start()
    until(lambda: "store_away" == state(bench))
    claims, checks = len(bench.job_store.claimants), bench.store.checks
    until(lambda: 2 <= sum("job_1-1" in claims for claims in bench.lease.claims) and bench.store.checks > checks + 2)
    assert (claims, []) == (len(bench.job_store.claimants), endings(bench))
    bench.store.refusals = 0
    until(lambda: ["commit"] * 2 == endings(bench))
    assert ["job_1-1", "job_2-1"] == [request.ticket for request in bench.engine.requests if "job" in request.ticket]


def test_a_stop_postpones_what_the_store_refused(bench: Bench, start: Start, quick_checks: None) -> None:
    bench.job_store.queue = [make_job()]
    bench.encoder.scripts = [[lambda: setattr(bench.store, "refusals", ALWAYS), healthy]]
    worker = start()
    until(lambda: "store_away" == state(bench))
    worker.stop()
    assert ["postpone"] == endings(bench)


def test_nothing_is_claimed_while_models_are_loaded(bench: Bench, start: Start) -> None:
    began, go_on = hold(bench)
    start(preload="chaos")
    assert began.wait(WAIT_SECONDS)
    beats(bench)
    assert [] == bench.job_store.claimants
    go_on.set()
    until(lambda: bench.job_store.claimants)


def test_nothing_is_claimed_after_a_drain(bench: Bench, start: Start) -> None:
    worker = start()
    until(lambda: bench.job_store.claimants)
    worker.drain()
    until(lambda: "draining" == state(bench))
    claims = len(bench.job_store.claimants)
    beats(bench)
    assert claims == len(bench.job_store.claimants)


def test_nothing_is_claimed_for_an_engine_that_does_not_start(bench: Bench, start: Start) -> None:
    worker = start()
    until(lambda: bench.job_store.claimants)
    bench.engine.start_error = ChildProcessDied("engine", "did not start")
    starts = bench.engine.calls.count("start")
    until(lambda: bench.engine.calls.count("start") > starts + 1)
    claims = len(bench.job_store.claimants)
    starts = bench.engine.calls.count("start")
    until(lambda: bench.engine.calls.count("start") > starts + 1)
    assert claims == len(bench.job_store.claimants)
    bench.engine.start_error = None
    worker.ring()
    until(lambda: len(bench.job_store.claimants) > claims)


def test_a_claim_that_goes_wrong_does_not_end_the_claims(bench: Bench, start: Start) -> None:
    bench.job_store.queue = [OSError("away"), RuntimeError("odd"), make_job()]
    start()
    until(lambda: "commit" in bench.job_store.verbs())


def test_a_job_that_goes_wrong_does_not_end_the_worker(bench: Bench, start: Start) -> None:
    bench.job_store.queue = [make_job(1), make_job(2)]
    bench.engine.scripts = [[RuntimeError("odd")]]
    start()
    until(lambda: any(write[:2] == ("commit", "job_2") for write in bench.job_store.writes))


def test_leases_are_renewed_while_a_job_runs(bench: Bench, start: Start) -> None:
    bench.job_store.queue = [make_job()]
    _, go_on = hold(bench)
    start()
    until(lambda: 2 <= sum("job_1-1" in claims for claims in bench.lease.claims))
    go_on.set()


def test_a_job_whose_claim_is_gone_is_interrupted(bench: Bench, start: Start) -> None:
    bench.job_store.queue = [make_job()]
    bench.lease.gone.add("job_1-1")
    _, go_on = hold(bench)
    start()
    until(lambda: ("job_1-1", False) in bench.engine.interrupts)
    beats(bench)
    assert "job_1-1" not in bench.lease.claims[-1]
    go_on.set()


def test_the_heartbeat_shows_the_job_that_computes(bench: Bench, start: Start) -> None:
    bench.job_store.queue = [make_job()]
    _, go_on = hold(bench)
    start()
    until(
        lambda: (
            bench.lease.facts and ("busy", "job_1") == (bench.lease.facts[-1].state, bench.lease.facts[-1].current_job)
        )
    )
    go_on.set()
    until(lambda: ("idle", None) == (bench.lease.facts[-1].state, bench.lease.facts[-1].current_job))


def test_a_server_that_is_drained_says_so(bench: Bench, start: Start) -> None:
    bench.job_store.queue = [make_job()]
    began, go_on = hold(bench)
    start()
    assert began.wait(WAIT_SECONDS)
    bench.lease.desired = ["draining"]
    until(lambda: "draining" == state(bench))
    go_on.set()
    until(lambda: "drained" == state(bench))


def test_a_server_that_lost_its_name_leaves(bench: Bench, start: Start) -> None:
    bench.job_store.queue = [make_job()]
    began, go_on = hold(bench)
    start()
    assert began.wait(WAIT_SECONDS)
    bench.lease.desired = [ServerIdLost("another worker has taken over")]
    assert bench.left.wait(WAIT_SECONDS)
    assert ("job_1-1", False) in bench.engine.interrupts
    go_on.set()
    beats(bench)
    assert [] == endings(bench)


def test_a_heartbeat_that_goes_wrong_is_given_again(bench: Bench, start: Start) -> None:
    bench.lease.desired = [OSError("away"), "active"]
    start()
    beats(bench)
    assert not bench.left.is_set()


def test_a_busy_worker_leaves_doorbells_to_others(bench: Bench, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.gpu.supervisor.BUSY_SECONDS", 0.0)
    bench.job_store.queue = [make_job()]
    _, go_on = hold(bench)
    start()
    until(lambda: bench.listened and not bench.listened[-1])
    go_on.set()
    until(lambda: bench.listened[-1])


def test_a_stop_hands_back_what_does_not_end_within_the_grace(bench: Bench, start: Start) -> None:
    bench.job_store.queue = [make_job()]
    began, go_on = hold(bench)
    worker = start()
    assert began.wait(WAIT_SECONDS)
    stopping = spawn_thread(worker.stop)
    until(lambda: ("job_1-1", True) in bench.engine.interrupts)
    go_on.set()
    join_all([stopping])
    assert ["release"] == endings(bench)
    assert "leave" in bench.lease.calls
    assert not list((bench.folder / "scratch").glob("*"))


def test_a_stop_lets_a_job_end_within_the_grace(bench: Bench, start: Start) -> None:
    began, go_on = threading.Event(), threading.Event()
    bench.engine.scripts = [[began.set, lambda: go_on.wait(WAIT_SECONDS), Computed()]]
    bench.job_store.queue = [make_job()]
    worker = start(grace_seconds=WAIT_SECONDS)
    assert began.wait(WAIT_SECONDS)
    stopping = spawn_thread(worker.stop)
    go_on.set()
    join_all([stopping])
    assert "commit" in bench.job_store.verbs()
    assert "release" not in bench.job_store.verbs()


def test_a_stop_counts_a_claim_that_is_under_way(bench: Bench, start: Start) -> None:
    claiming, go_on = threading.Event(), threading.Event()
    claim = bench.job_store.claim

    def slow(claimant: Any) -> Any:
        claiming.set()
        go_on.wait(WAIT_SECONDS)
        return claim(claimant)

    bench.monkeypatch.setattr(bench.job_store, "claim", slow)
    bench.job_store.queue = [make_job()]
    bench.engine.scripts = [[lambda: until(lambda: bench.engine.interrupts), stopped()]]
    worker = start()
    assert claiming.wait(WAIT_SECONDS)
    stopping = spawn_thread(worker.stop)
    go_on.set()
    join_all([stopping])
    assert ["release"] == endings(bench)


def test_a_worker_whose_engine_cannot_be_had_leaves(bench: Bench, start: Start) -> None:
    """Its device is gone, or a killed engine stays: without signs of life until its end."""
    worker = start()
    alive = bench.folder / "scratch" / "gpu-worker.alive"
    until(alive.exists, WAIT_SECONDS)
    bench.engine.defect = "cannot be killed"
    assert bench.left.wait(WAIT_SECONDS)
    alive.unlink()
    beats(bench)
    assert not alive.exists()
    assert ("draining", "cannot be killed") == (state(bench), worker.defect)
