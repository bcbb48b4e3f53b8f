"""When a server may claim."""

from types import SimpleNamespace
from typing import Any

import pytest

from workers.gpu.claim_gate import ClaimGate


def gate(*, skewed: bool = False, is_loading: bool = False, is_away: bool = False) -> ClaimGate:
    lease: Any = SimpleNamespace(skewed=skewed)
    maintenance: Any = SimpleNamespace(is_loading=is_loading)
    store_watch: Any = SimpleNamespace(is_away=is_away)
    return ClaimGate(lease, maintenance, store_watch)


def test_an_active_server_may_claim() -> None:
    assert gate().is_open


@pytest.mark.parametrize("desired", ["cordoned", "draining"])
def test_a_server_that_is_not_to_be_active_may_not(desired: str) -> None:
    closed = gate()
    closed.desired = desired
    assert not closed.is_open
    closed.desired = "active"
    assert closed.is_open


def test_a_server_with_a_skewed_clock_may_not() -> None:
    assert not gate(skewed=True).is_open


def test_a_server_that_loads_models_may_not() -> None:
    assert not gate(is_loading=True).is_open


def test_a_server_whose_store_is_away_may_not() -> None:
    assert not gate(is_away=True).is_open


def test_a_process_that_drains_may_not() -> None:
    closed = gate()
    closed.drain()
    assert not closed.is_open
    assert closed.is_draining
    assert closed.wait_for_drain(1000.0)
