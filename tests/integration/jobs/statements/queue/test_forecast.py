"""The forecast of a job: what the database's function says is what the statements of the source say."""

import itertools
import random

import pytest
from sqlalchemy import func, text, update

from core.ids import new_id
from jobs.job import JobStatus
from jobs.schema.tables import jobs, servers, tenants
from jobs.statements.queue import claimed, places, position
from jobs.statements.queue.forecast import Forecast
from jobs.statements.queue.look import FollowedJob, look_again
from tests.support.rows.looks import by_owner, key_of, look_at, seen
from tests.support.rows.rows import ARTIFACT


def counted_together(rows, queue, waiting):
    """How many jobs are ahead of each, by id, from one reading of the queue."""
    found = rows.execute(places.queue_groups(queue, [job.id for job in waiting]))
    groups = [places.group_of_row(row) for row in found]
    return {job.id: places.count_ahead(job, groups) for job in waiting}


@pytest.fixture
def crowd(rows):
    """Jobs of tenants, models, priorities and servers in every state of waiting, drawn from a seed."""
    draw = random.Random(7)
    names = [rows.tenant(name) for name in ("one", "two", "capped")]
    rows.execute(update(tenants).where(tenants.c.id == names[2]).values(max_running_jobs=1))
    claimants = [rows.server("gpu-1"), rows.server("gpu-2", serves=("chaos", "other"))]
    pins = [{}, {}, {"server_id": "gpu-1"}]
    pins += [{"server_id": "gpu-1", "spill_seconds": seconds} for seconds in (0.0, 60.0)]
    made = []
    for _ in range(60):
        model, priority = draw.choice(["chaos", "chaos", "other"]), draw.choice([3, 5, 5, 9])
        made.append(rows.submit(draw.choice(names), model=model, priority=priority, **draw.choice(pins)))
    for claimant in itertools.islice(itertools.cycle(claimants), 8):
        job = rows.claim(claimant)
        if draw.random() < 0.7:
            rows.execute(claimed.release(job.id, job.fence))
    for job in draw.sample(made, 6):
        rows.set(job, available_at=func.now() + text("interval '1 hour'"))
    return [job for job in map(rows.job, made) if job.status is JobStatus.QUEUED]


@pytest.mark.matrix
@pytest.mark.parametrize("dedicated", [False, True])
def test_a_place_is_the_same_alone_and_among_many(rows, crowd, dedicated):
    rows.execute(update(servers).where(servers.c.server_id == "gpu-1").values(dedicated=dedicated))
    expected = {job.id: rows.scalar(position.queue_position(job)) for job in crowd}
    assert len(set(expected.values())) > 10
    views = look_at(rows, by_owner(rows, *crowd)).values()
    assert expected == {view.job.id: view.forecast.ahead for view in views}
    together = {}
    for queue in {places.queue_of_job(job) for job in crowd}:
        together |= counted_together(rows, queue, [job for job in crowd if places.queue_of_job(job) == queue])
    assert expected == together


def test_places_beyond_the_limit_are_the_limit(rows, monkeypatch):
    for module in (position, places):
        monkeypatch.setattr(module, "POSITION_LIMIT", 3)
    made = [rows.submit(rows.tenant()) for _ in range(6)]
    assert [0, 1, 2, 3, 3, 3] == list(counted_together(rows, places.QueueName("chaos"), made).values())


@pytest.mark.long
def test_a_deep_queue_is_not_read(rows):
    """Not by a plan that was made while the queue was empty, either."""
    tenant = rows.tenant()
    one = rows.submit(tenant, priority=5)
    last = rows.submit(tenant, priority=0)
    (asked,) = by_owner(rows, last)
    with rows.engine.connect() as connection:
        assert 1 == ahead_of(connection, asked)
        copied = dict(rows.execute(jobs.select().where(jobs.c.id == one.id))[0]._mapping)
        copies = [{**copied, "id": new_id("job"), "seq": number} for number in range(5000)]
        connection.execute(jobs.insert(), copies)
        connection.commit()
        before = read_so_far(connection)
        assert 1000 == ahead_of(connection, asked)
        assert read_so_far(connection) - before < 1200


def ahead_of(connection, asked):
    query = look_again([asked], counted=True)
    return query.decode(connection.exec_driver_sql(query.text, query.values).scalar_one()).forecast.ahead


def read_so_far(connection):
    """Rows of jobs that this transaction has read, by whatever scan."""
    return connection.scalar(
        text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_all_tables WHERE relname = 'jobs'")
    )


def test_a_follower_gets_its_own_job_while_its_key_is_valid(rows):
    """One statement tells apart: a job, a stranger's job, no job, a deleted job, and a revoked key."""
    mine, other = rows.tenant("mine"), rows.tenant("other")
    owner, stranger = key_of(rows, mine), key_of(rows, other)
    job, gone = rows.submit(mine), rows.submit(mine)
    rows.set(gone, deleted_at=func.now())
    asked = [
        FollowedJob(job.id, owner),
        FollowedJob(job.id, stranger),
        FollowedJob("job_nothing", owner),
        FollowedJob(gone.id, owner),
    ]
    found = look_at(rows, asked)
    assert [job.id, None, None, None] == [found[one] and found[one].job.id for one in asked]
    assert 0 == found[asked[0]].forecast.ahead
    rows.execute(text("UPDATE api_keys SET revoked_at = now()"))
    assert {} == look_at(rows, asked)


def test_the_pace_is_the_median_of_what_the_last_jobs_took(rows):
    tenant = rows.tenant()
    claimant = rows.server()
    rows.server("dead", lease_seconds=-1.0)

    def pace(model):
        forecast = seen(rows, rows.submit(tenant, model=model, priority=0)).forecast
        return forecast.seconds, forecast.servers

    assert (None, 1) == pace("chaos")
    for seconds in (1, 2, 30):
        rows.submit(tenant)
        job = rows.claim(claimant)
        rows.change(claimed.commit(job.id, job.fence, artifacts=[ARTIFACT], warnings=[], cost=0.0))
        rows.set(job, started_at=func.now(), finished_at=func.now() + text(f"interval '{seconds} seconds'"))
    assert (2.0, 1) == pace("chaos")
    assert (None, 0) == pace("another")


def test_a_running_job_has_a_pace_and_an_ended_one_nothing(rows):
    tenant = rows.tenant()
    rows.execute(update(tenants).values(budget_usd=2.5))
    rows.submit(tenant)
    job = rows.claim(rows.server())
    assert Forecast(servers=1, balance=2.5) == seen(rows, job).forecast
    rows.complete(job)
    assert Forecast(balance=2.5) == seen(rows, job).forecast
