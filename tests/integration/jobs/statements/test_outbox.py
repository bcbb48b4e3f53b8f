"""What changes of jobs leave in the outbox, by the filters of the tenant's endpoints."""

import re

import pytest
from sqlalchemy import update

from core.ids import is_id, new_id
from jobs.job import JobError
from jobs.schema.tables import inputs
from jobs.statements.maintenance import recovery
from jobs.statements.media.inputs import fail_job, queue_job
from jobs.statements.queue import claimed
from jobs.statements.webhooks import endpoints
from jobs.wire.webhooks import EVENTS

ERROR = JobError("pipeline_failed", "It broke.")
CALLBACK = "http://callback.example/"


@pytest.fixture
def tenant(rows):
    return rows.tenant()


@pytest.fixture
def endpoint(rows, tenant):
    """Make an endpoint of the tenant's, or of another's; its id."""

    def make(*events, of=tenant):
        made = endpoints.add_webhook(new_id("whk"), of, url="http://hook.example/", events=events or EVENTS)
        return rows.scalar(made)

    return make


def event_types(rows, webhook_id=None):
    return [row.type for row in rows.deliveries() if row.webhook_id == webhook_id]


def test_an_endpoint_gets_every_step_and_a_callback_the_end(rows, tenant, endpoint):
    webhook_id = endpoint()
    rows.submit(tenant, callback_url=CALLBACK)
    done = rows.complete(rows.claim(rows.server()))
    assert ["job.queued", "job.started", "job.completed"] == event_types(rows, webhook_id)
    assert ["job.completed"] == event_types(rows)
    assert [done.event_seq] * 2 == [row.event_seq for row in rows.deliveries() if row.type == "job.completed"]
    assert {done.id} == {row.job_id for row in rows.deliveries()}
    assert 4 == len({row.id for row in rows.deliveries()})
    assert all(is_id("msg", row.id) for row in rows.deliveries())


@pytest.mark.parametrize(
    ("end", "event"),
    [
        (lambda rows, job: rows.change(claimed.fail(job.id, job.fence, ERROR)), "job.failed"),
        (lambda rows, job: rows.cancel(job), "job.cancelled"),
        (lambda rows, job: rows.change(claimed.release(job.id, job.fence)), "job.queued"),
        (lambda rows, job: rows.change(claimed.lose(job.id, job.fence, backoff=0.0)), "job.queued"),
    ],
)
def test_other_ends_of_an_attempt(rows, tenant, endpoint, end, event):
    webhook_id = endpoint()
    rows.submit(tenant)
    assert end(rows, rows.claim(rows.server())) is not None
    assert ["job.queued", "job.started", event] == event_types(rows, webhook_id)


def test_a_job_with_inputs_is_queued_once_they_are_there(rows, tenant, endpoint):
    staged, failed = (rows.pending(tenant, "http://one.example/a.png") for _ in range(2))
    webhook_id = endpoint()
    rows.execute(update(inputs).where(inputs.c.job_id == staged.id).values(status="ready"))
    assert rows.change(queue_job(failed.id)) is None
    assert rows.change(queue_job(staged.id)) is not None
    assert rows.change(fail_job(failed.id, ERROR)) is not None
    assert ["job.queued", "job.failed"] == event_types(rows, webhook_id)


def test_upkeep_tells_of_each_job_of_a_batch(rows, tenant, endpoint):
    webhook_id = endpoint("job.failed")
    late = {rows.submit(tenant, deadline_seconds=-1.0).id for _ in range(3)}
    assert 3 == len(rows.execute(recovery.expire()))
    assert late == {row.job_id for row in rows.deliveries()}
    assert ["job.failed"] * 3 == event_types(rows, webhook_id)
    assert 3 == len({row.id for row in rows.deliveries()})


def test_filters_and_tenants_keep_their_own(rows, tenant, endpoint):
    ends, starts, foreign = (
        endpoint("job.completed", "job.failed"),
        endpoint("job.started"),
        endpoint(of=rows.tenant("b")),
    )
    off = endpoint()
    rows.execute(endpoints.change_webhook(off, tenant, enabled=False))
    rows.submit(tenant)
    rows.complete(rows.claim(rows.server()))
    assert [["job.completed"], ["job.started"], [], []] == [
        event_types(rows, one) for one in (ends, starts, foreign, off)
    ]


def test_a_change_that_does_not_happen_has_no_event(rows, tenant, endpoint):
    endpoint("job.completed", "job.cancelled")
    rows.submit(tenant)
    job = rows.claim(rows.server())
    assert rows.cancel(job) is not None
    assert rows.complete(job) is None
    assert rows.cancel(job) is None
    assert ["job.cancelled"] == [row.type for row in rows.deliveries()]
    assert re.fullmatch("msg_[0-9a-f]{32}", rows.deliveries()[0].id)
