"""Whether the store counts as away, and when it counts as back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors.unavailable import StorageUnavailable
from core.retry import Backoff
from tests.support.gpu_worker.fakes import FakeStore
from tests.support.wait import until
from workers import store_watch
from workers.store_watch import BACKOFF, StoreWatch

ALWAYS = 10**9
DENIED = StorageUnavailable("The object store answered AccessDenied.", reason="AccessDenied")


class Bench:
    """A watch of a fake store, and each change that it reports, as whether the store was away then."""

    def __init__(self, folder: Path) -> None:
        self.store = FakeStore(folder)
        self.changes: list[bool] = []
        self.watch = StoreWatch(self.store, lambda: self.changes.append(self.watch.is_away))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(store_watch, "BACKOFF", Backoff(first=0.01, longest=0.01))
    made = Bench(tmp_path)
    yield made
    made.watch.stop()


def test_a_store_that_answers_is_there(bench: Bench) -> None:
    bench.watch.start()
    assert (False, None, []) == (bench.watch.is_away, bench.watch.problem, bench.changes)
    assert 1 == bench.store.checks


def test_a_store_that_is_away_at_the_start_is_noticed(bench: Bench) -> None:
    bench.store.refusals = ALWAYS
    bench.watch.start()
    assert (True, "unreachable", [True]) == (bench.watch.is_away, bench.watch.problem, bench.changes)


def test_a_refusal_says_why_until_a_check_passes(bench: Bench) -> None:
    bench.store.refusals = 1
    bench.watch.note_refusal(DENIED)
    assert "AccessDenied" == bench.watch.problem
    assert not bench.watch.check()
    assert (True, "unreachable") == (bench.watch.is_away, bench.watch.problem)
    assert bench.watch.check()
    assert (False, None, [True, False]) == (bench.watch.is_away, bench.watch.problem, bench.changes)


def test_the_thread_checks_until_the_store_is_back(bench: Bench) -> None:
    bench.watch.start()
    for time in (1, 2):
        bench.store.refusals = 3
        bench.watch.note_refusal(DENIED)
        assert bench.watch.is_away
        until(lambda time=time: [True, False] * time == bench.changes)
    assert 1 + 2 * 4 == bench.store.checks


def test_a_store_that_is_there_is_not_checked(bench: Bench) -> None:
    bench.watch.start()
    bench.watch.note_refusal(DENIED)
    until(lambda: not bench.watch.is_away)
    checks = bench.store.checks
    bench.watch.stop()
    assert checks == bench.store.checks


def test_an_odd_error_does_not_end_the_checks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.watch.start()
    odd = [RuntimeError("odd")]
    check = bench.store.check
    monkeypatch.setattr(bench.store, "check", lambda: raise_next(odd) or check())
    bench.watch.note_refusal(DENIED)
    until(lambda: not bench.watch.is_away)
    assert [] == odd


def raise_next(errors: list[RuntimeError]) -> None:
    if errors:
        raise errors.pop()


def test_a_full_store_is_not_away(bench: Bench) -> None:
    bench.store.refusals, bench.store.full = ALWAYS, True
    bench.watch.start()
    assert (False, []) == (bench.watch.is_away, bench.changes)


def test_checks_are_at_most_a_minute_apart() -> None:
    assert BACKOFF.pause(1) < 1.0
    assert 50.0 <= BACKOFF.pause(10**6) <= 60.0


def test_a_watch_that_never_began_can_be_stopped(bench: Bench) -> None:
    bench.watch.stop()
    assert 0 == bench.store.checks
