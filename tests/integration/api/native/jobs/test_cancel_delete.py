"""Cancel wins unless the result is committed; deleted jobs stay deleted."""

import pytest
from redis import Redis

from jobs.schema.tables import jobs, outbox
from tests.support.rows.rows import ARTIFACT
from tests.support.service.published import published
from tests.support.wait import until


def cancel(client, job_id):
    return client.post(f"/jobs/v1/{job_id}/cancel")


@pytest.mark.parametrize("claimed", [False, True])
def test_a_job_is_cancelled_and_stays_so(client, create, worker, claimed):
    job_id = create()
    job = worker.claim() if claimed else None
    answer = cancel(client, job_id)
    assert (200, "cancelled") == (answer.status_code, answer.json()["status"])
    assert answer.json() == cancel(client, job_id).json() == client.get(f"/jobs/v1/{job_id}").json()
    if job is not None:
        assert worker.rows.complete(job, ARTIFACT) is None
        assert [] == client.get(f"/jobs/v1/{job_id}").json()["outputs"]


def test_a_job_that_has_ended_is_answered_as_it_is(client, create, worker):
    job_id = create()
    worker.complete(worker.claim(), ARTIFACT)
    answer = cancel(client, job_id)
    assert (200, "completed") == (answer.status_code, answer.json()["status"])
    assert 1 == len(answer.json()["outputs"])


def test_a_cancel_reaches_the_callback_once(client, create, rows):
    job_id = create(callback_url="https://example.org/hook")
    cancel(client, job_id)
    cancel(client, job_id)
    assert [(job_id, "job.cancelled", "https://example.org/hook")] == [
        (row.job_id, row.type, row.url) for row in rows.deliveries()
    ]


def test_a_cancel_reaches_open_streams(client, create, broker_url):
    job_id = create()
    with Redis.from_url(broker_url) as broker:
        until(lambda: len(published(broker, job_id)) == 1, what="the event of the submit")
        cancel(client, job_id)
        until(lambda: len(published(broker, job_id)) == 2, what="the event of the cancel")


def test_a_deleted_job_leaves_no_prompt_and_no_delivery(client, create, rows, worker):
    job_id = create(prompt="a secret wish", callback_url="https://example.org/hook")
    worker.complete(worker.claim(), ARTIFACT)
    assert 1 == len(rows.execute(outbox.select()))
    answer = client.delete(f"/jobs/v1/{job_id}")
    assert (204, b"") == (answer.status_code, answer.content)
    row = rows.execute(jobs.select().where(jobs.c.id == job_id))[0]
    assert ({}, [], None) == (row.params, row.artifacts, row.callback_url)
    assert row.purge_at is not None
    assert [] == rows.execute(outbox.select())
    assert 404 == client.delete(f"/jobs/v1/{job_id}").status_code


def test_a_running_job_that_is_deleted_commits_nothing(client, create, worker):
    job_id = create()
    job = worker.claim()
    client.delete(f"/jobs/v1/{job_id}")
    assert worker.rows.complete(job, ARTIFACT) is None
