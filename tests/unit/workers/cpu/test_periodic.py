"""The loop under every chore of the CPU worker, under a clock of the test's own."""

import asyncio
import time

import pytest
from sqlalchemy.exc import OperationalError

from workers.cpu.periodic import LONGEST_PAUSE, repeat, wait

AWAY = OperationalError("SELECT 1", {}, Exception("connection refused"))


async def pauses_of(outcomes, *, seconds=1.0):
    """Return the pauses between turns that end with `outcomes`: an error, or whether more is waiting."""
    stop, pauses, left = asyncio.Event(), [], list(outcomes)

    async def turn():
        outcome = left.pop(0)
        if not left:
            stop.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def sleep(_, pause):
        pauses.append(pause)

    await repeat("test", turn, seconds=seconds, stop=stop, sleep=sleep)
    return pauses


async def test_a_turn_is_repeated_until_the_stop():
    stop, turns = asyncio.Event(), []

    async def turn():
        turns.append(1)
        if len(turns) == 3:
            stop.set()
        return False

    await repeat("test", turn, seconds=0.01, stop=stop)
    assert 3 == len(turns)


async def test_turns_are_about_the_seconds_apart():
    pauses = await pauses_of([False] * 100)
    assert 0.8 <= min(pauses) < max(pauses) <= 1.2


async def test_there_is_no_pause_while_more_is_waiting():
    assert [0.0] * 20 == (await pauses_of([True] * 20 + [False]))[:-1]


async def test_the_pause_doubles_with_each_error_in_a_row():
    pauses = await pauses_of([AWAY] * 6)
    for expected, pause in zip([2.0, 4.0, 8.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE], pauses, strict=True):
        assert pause == pytest.approx(1.1 * expected, rel=0.1)


async def test_a_turn_that_works_resets_the_pause():
    *_, last_of_the_first, after_success, first_again = await pauses_of([AWAY, AWAY, AWAY, False, AWAY])
    assert last_of_the_first >= 8.0
    assert after_success <= 1.2
    assert 2.0 <= first_again <= 2.4


async def test_a_long_interval_is_never_shortened_by_errors():
    assert 60.0 <= min(await pauses_of([AWAY] * 3, seconds=60.0))


async def test_errors_are_survived_and_logged(caplog):
    with caplog.at_level("INFO"):
        await pauses_of([AWAY, RuntimeError("a bug"), False, False])
    assert "test: the database does not answer" in caplog.text
    assert "RuntimeError: a bug" in caplog.text
    assert 1 == caplog.text.count("test: working again")


async def test_a_stop_ends_the_pause():
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, stop.set)
    started = time.monotonic()
    await wait(stop, 60.0)
    assert time.monotonic() - started < 5
