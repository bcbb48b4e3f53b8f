"""The circuit breaker of a backend: when it gets jobs, none, or one."""

import pytest

from tests.support.gpu_worker.fakes import FakeClock
from workers.remote.circuit import BackendCircuit


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def circuit(clock: FakeClock) -> BackendCircuit:
    return BackendCircuit(5.0, clock)


def test_nothing_is_sent_before_the_first_check(circuit: BackendCircuit) -> None:
    assert ("open", True, "unchecked") == (circuit.state, circuit.is_due, circuit.problem)
    circuit.note_health(circuit.failures)
    assert ("closed", None) == (circuit.state, circuit.problem)


def test_it_half_opens_after_its_time_and_closes_with_a_job(circuit: BackendCircuit, clock: FakeClock) -> None:
    circuit.note_health(circuit.failures)
    circuit.note_failure("unreachable")
    assert ("open", False) == (circuit.state, circuit.is_due)
    clock.advance(5.0)
    assert circuit.is_due
    circuit.note_health(circuit.failures)
    assert "half_open" == circuit.state
    circuit.note_success(circuit.failures)
    assert ("closed", 0) == (circuit.state, circuit.failures)


def test_each_failure_in_a_row_doubles_the_time(circuit: BackendCircuit, clock: FakeClock) -> None:
    for pause in (5.0, 10.0, 20.0, 40.0, 60.0, 60.0):
        circuit.note_failure("failed")
        clock.advance(pause - 0.1)
        assert not circuit.is_due
        clock.advance(0.1)
        assert circuit.is_due
        circuit.note_health(circuit.failures)


def test_a_backend_may_ask_for_more_time(circuit: BackendCircuit, clock: FakeClock) -> None:
    circuit.note_failure("rate_limited", retry_after=100.0)
    clock.advance(99.0)
    assert not circuit.is_due
    circuit.note_failure("rate_limited", retry_after=100_000.0)
    clock.advance(300.0)
    assert circuit.is_due


def test_a_job_that_began_before_a_failure_does_not_close_it(circuit: BackendCircuit) -> None:
    circuit.note_health(circuit.failures)
    circuit.note_failure("broken_off")
    circuit.note_success(0)
    assert ("open", "broken_off") == (circuit.state, circuit.problem)


def test_a_job_that_was_claimed_just_before_it_opened_closes_it(circuit: BackendCircuit) -> None:
    """The claim of a released job may come before the row of the server says that the backend is away."""
    circuit.note_health(circuit.failures)
    circuit.note_failure("rate_limited")
    circuit.note_success(1)
    assert ("closed", None) == (circuit.state, circuit.problem)


def test_a_failure_during_a_check_says_more_than_the_check(circuit: BackendCircuit) -> None:
    circuit.note_failure("unavailable")
    circuit.note_health(0)
    assert "open" == circuit.state
