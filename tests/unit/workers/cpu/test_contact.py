"""Since when the database has answered without a gap."""

import pytest

from tests.support.gpu_worker.fakes import FakeClock
from workers.cpu.contact import Contact


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def contact(clock: FakeClock) -> Contact:
    return Contact(10.0, clock)


def test_a_start_counts_as_a_gap(contact: Contact, clock: FakeClock) -> None:
    """The database may have been away until just before."""
    assert 0.0 == contact.seconds
    contact.note_answer()
    assert 0.0 == contact.seconds
    clock.advance(3.0)
    contact.note_answer()
    assert 3.0 == contact.seconds


def test_answers_that_come_regularly_are_contact(contact: Contact, clock: FakeClock) -> None:
    for _ in range(5):
        contact.note_answer()
        clock.advance(10.0)
    assert 50.0 == contact.seconds


def test_a_failure_is_a_gap(contact: Contact, clock: FakeClock) -> None:
    contact.note_answer()
    contact.note_failure()
    clock.advance(1.0)
    contact.note_answer()
    assert 0.0 == contact.seconds
    clock.advance(7.0)
    contact.note_answer()
    assert 7.0 == contact.seconds


def test_a_failure_at_first_is_a_gap_too(contact: Contact) -> None:
    contact.note_failure()
    contact.note_answer()
    assert 0.0 == contact.seconds


def test_an_answer_that_comes_late_is_a_gap(contact: Contact, clock: FakeClock) -> None:
    """A server that was stopped for a while fails no request: it answers when it goes on."""
    contact.note_answer()
    clock.advance(10.1)
    contact.note_answer()
    assert 0.0 == contact.seconds
