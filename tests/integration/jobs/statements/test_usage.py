"""Roll-ups of ended jobs: exact, repeatable, caught up after an outage, folded when old."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from jobs.job import DeviceTime
from jobs.schema.tables import usage
from jobs.statements.queue import claimed, tenant_jobs
from jobs.statements.usage import BINS, SUMS, fold, forget, roll_up, usage_of

FOREVER = {"since": datetime(2000, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC), "limit": 100}


@pytest.fixture
def tenant(rows):
    return rows.tenant()


@pytest.fixture
def end(rows, tenant):
    """Have a job of the tenant, or of another, complete so long ago."""
    server = rows.server()
    return lambda **more: completed(rows, server, **{"tenant": tenant} | more)


def completed(rows, server, *, tenant, ago="0 s", **more):
    rows.submit(tenant, price_usd=0.5, **more)
    job = rows.claim(server)
    rows.execute(
        claimed.commit(
            job.id, job.fence, artifacts=[], warnings=[], cost=0.0, used=DeviceTime(gpu_seconds=2.0, load_seconds=1.0)
        )
    )
    rows.set(job, finished_at=func.now() - text(f"interval '{ago}'"))
    return job


def catch_up(rows):
    """Add up until nothing is missing; how many turns that took."""
    for turn in range(1, 100):
        if not any(row[0] for row in rows.execute(roll_up())):
            return turn
    raise AssertionError("it does not end")


def sums(rows, tenant=None, step=None, by=()):
    return [tuple(row)[: -len(("wait", "run"))] for row in rows.execute(usage_of(tenant, step=step, by=by, **FOREVER))]


@pytest.mark.contract("F28")
def test_jobs_are_added_up_by_what_one_asks_for(rows, tenant, end):
    end(key_id="key_1")
    end(key_id="key_1")
    end(key_id="key_2")
    rows.cancel(rows.submit(tenant))
    end(tenant=rows.tenant("another"))
    catch_up(rows)
    assert 6 == len(SUMS)
    assert [(3, 0, 1, 6.0, 3.0, 1.5)] == sums(rows, tenant)
    by_key = [row[:4] for row in sums(rows, tenant, by=["key"])]
    assert [("", 0, 0, 1), ("key_1", 2, 0, 0), ("key_2", 1, 0, 0)] == by_key
    assert [("", 1), ("gpu-1", 0)] == [(row[0], row[3]) for row in sums(rows, tenant, by=["server"])]
    assert 2 == len(sums(rows, by=["tenant"]))


def test_a_repeat_changes_nothing_and_a_late_job_is_added(rows, tenant, end):
    end()
    assert 1 == len(rows.execute(roll_up()))
    assert [] == rows.execute(roll_up())
    end(ago="6 minutes")
    assert 1 == len(rows.execute(roll_up()))
    assert [(2, 0, 0, 4.0, 2.0, 1.0)] == sums(rows, tenant)


def test_a_deleted_job_stays_counted(rows, tenant, end):
    job = end()
    catch_up(rows)
    rows.execute(tenant_jobs.erase(job.id, tenant))
    rows.execute(text("DELETE FROM jobs"))
    rows.execute(roll_up())
    assert [(1, 0, 0, 2.0, 1.0, 0.5)] == sums(rows, tenant)


def test_what_was_missed_in_an_outage_is_made_up_for(rows, tenant, end):
    """Days without a CPU worker, in which its last bucket went on, and days without a job between."""
    end(ago="9 days")
    catch_up(rows)
    end(ago="9 days")
    end(ago="3 days")
    end(ago="1 hour")
    end()
    assert 2 < catch_up(rows)
    assert [(5, 0, 0, 10.0, 5.0, 2.5)] == sums(rows, tenant)
    assert 1 == catch_up(rows)
    assert 5 == sum(row[1] for row in sums(rows, tenant, step=300))


def test_old_buckets_become_hours_and_very_old_ones_go(rows, tenant, end):
    for ago in ("20 days", "20 days 30 minutes", "1 hour"):
        end(ago=ago)
    catch_up(rows)
    before = sums(rows, tenant)
    for _ in range(2):
        rows.execute(fold())
    catch_up(rows)
    assert before == sums(rows, tenant)
    assert {300, 3600} == {row.step for row in rows.execute(select(usage.c.step))}
    assert [BINS] == list({len(row.wait) for row in rows.execute(select(usage.c.wait))})
    assert 3 == sum(sum(row.run) for row in rows.execute(select(usage.c.run)))
    rows.execute(usage.update().values(bucket=usage.c.bucket - timedelta(days=500)))
    rows.execute(forget())
    assert [] == rows.execute(select(usage.c.step))


def test_it_reads_by_the_index_of_the_ends(rows, tenant, end):
    with rows.engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(connection.execute(text("EXPLAIN " + roll_up().text)).scalars())
    assert "ix_jobs_ended" in plan
