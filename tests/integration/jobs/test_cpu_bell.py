"""The bell of the CPU workers on a real Valkey: which commits ring it, and for which task."""

import pytest
from redis import Redis

from core.ids import new_id
from core.settings import Settings
from jobs.cpu_bell import LIMIT, LIST
from jobs.events import Publisher
from jobs.params.image import ImageParams
from jobs.statements.queue.submit import Offer, new_job
from jobs.statements.queue.submit_function import submit_at_once
from jobs.statements.webhooks import endpoints

CALLBACK = "http://one.example/"


@pytest.fixture
def bells(broker_url):
    """Publish jobs, and return the tasks that are named."""

    def bells(*jobs):
        Publisher(Settings(broker_url=broker_url)).publish(jobs)
        with Redis.from_url(broker_url) as client:
            return [task.decode() for task in client.lpop(LIST, LIMIT) or ()]

    return bells


def test_a_job_without_media_or_webhook_rings_nothing(rows, bells):
    submitted = rows.submit(rows.tenant())
    claimed = rows.claim(rows.server())
    assert [] == bells(submitted, claimed, rows.complete(claimed))


def test_a_job_that_waits_for_inputs_rings_for_ingest(rows, bells):
    assert ["ingest"] == bells(rows.pending(rows.tenant(), "http://one.example/a.png"))


def test_the_end_of_a_job_with_a_callback_rings(rows, bells):
    submitted = rows.submit(rows.tenant(), callback_url=CALLBACK)
    claimed = rows.claim(rows.server())
    assert [] == bells(submitted, claimed)
    assert ["webhooks"] == bells(rows.complete(claimed))


def test_bells_that_no_worker_takes_stay_few(rows, bells, broker_url):
    done = rows.cancel(rows.submit(rows.tenant(), callback_url=CALLBACK))
    for _ in range(LIMIT + 1):
        Publisher(Settings(broker_url=broker_url)).publish([done])
    with Redis.from_url(broker_url) as client:
        assert LIMIT == client.llen(LIST)


def test_an_endpoint_of_new_jobs_hears_the_submit(rows, bells):
    """By the function, and by the statement."""
    tenant = rows.tenant()
    rows.execute(endpoints.add_webhook(new_id("whk"), tenant, url="http://one.example/", events=["job.queued"]))
    facts = {
        "tenant": tenant,
        "params": ImageParams(prompt="a"),
        "seed": 1,
        "max_attempts": 3,
        "deadline_seconds": 60.0,
        "usual_cap": 9,
        "traceparent": None,
    }
    query = submit_at_once([new_job(job_id=new_id("job"), offers=[Offer("chaos")], **facts)])
    (found,) = rows.fetch(query)
    assert found.announced
    assert ["webhooks"] == bells(found)
    assert ["webhooks"] == bells(rows.submit(tenant))
