"""The CPU worker corrects what a version before has left reserved."""

import pytest
from sqlalchemy import func, text

from jobs.schema.tables import tenants
from workers.cpu.budgets import Budgets


@pytest.fixture
def left(rows):
    """A job that a worker of the version before has completed."""
    job = rows.submit(rows.tenant(), price_usd=0.03)
    rows.set(job, status="completed", finished_at=func.now(), cost=0.03)
    return job


def reserved(rows):
    return rows.scalar(tenants.select().with_only_columns(tenants.c.reserved_usd))


def test_a_price_that_was_left_reserved_is_released(rows, left):
    assert 0.03 == reserved(rows)
    assert Budgets(rows.engine).correct_reservations() is False
    assert 0.0 == reserved(rows)


def test_of_all_workers_one_looks_in_a_minute(rows, left):
    one, two = Budgets(rows.engine), Budgets(rows.engine)
    one.correct_reservations()
    rows.execute(tenants.update().values(reserved_usd=1.0))
    two.correct_reservations()
    assert 1.0 == reserved(rows)
    rows.execute(text("UPDATE chores SET next_at = now() - interval '1 second'"))
    two.correct_reservations()
    assert 0.0 == reserved(rows)
