"""The thread of the periodic duties."""

import threading

from tests.support.gpu_worker.fakes import WAIT_SECONDS, join_all, spawn_thread
from tests.support.wait import until
from workers.gpu.keep_thread import KeepThread


def test_duties_are_done_in_order_again_and_again() -> None:
    done: list[str] = []
    keeper = KeepThread(0.01, [lambda: done.append("a"), lambda: done.append("b")])
    keeper.start()
    until(lambda: ["a", "b", "a", "b"] == done[:4])
    keeper.stop()


def test_a_duty_that_fails_keeps_no_other_from_being_done() -> None:
    done: list[str] = []

    def fail() -> None:
        raise RuntimeError("odd")

    keeper = KeepThread(0.01, [fail, lambda: done.append("b")])
    keeper.start()
    until(lambda: 2 <= len(done))
    keeper.stop()


def test_a_wake_has_duties_done_at_once() -> None:
    done = threading.Event()
    keeper = KeepThread(1000.0, [done.set])
    keeper.start()
    assert not done.is_set()
    keeper.wake()
    assert done.wait(WAIT_SECONDS)
    join_all([spawn_thread(keeper.stop)])


def test_a_thread_that_never_started_can_be_stopped() -> None:
    KeepThread(1000.0, []).stop()
