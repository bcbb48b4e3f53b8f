"""Signal handlers that set events and take locks."""

import signal
import threading

from core.signals import deferred


def test_a_handler_waits_for_no_lock_of_what_it_interrupts() -> None:
    lock, done = threading.Lock(), threading.Event()

    def act() -> None:
        with lock:
            done.set()

    call = deferred(act, "act")
    before = signal.signal(signal.SIGUSR1, lambda *_: call())
    try:
        with lock:
            signal.raise_signal(signal.SIGUSR1)
            assert not done.is_set()
        assert done.wait(10)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_each_call_is_one_action() -> None:
    acted = threading.Semaphore(0)
    call = deferred(acted.release, "act")
    for _ in range(3):
        call()
    assert all(acted.acquire(timeout=10) for _ in range(3))
    assert not acted.acquire(blocking=False)
