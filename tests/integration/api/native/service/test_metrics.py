"""/metrics of a running API."""

import msgspec
import pytest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from tests.support.rows.rows import ARTIFACT
from tests.support.service.api_server import api_server
from tests.support.service.scrape import scrape

ROUTE = "/generate/image/v1"


@pytest.fixture
def fresh(settings, rows):
    """An API that has not looked at the gauges yet."""
    with api_server(settings) as server:
        yield server


def test_it_shows_the_queue_of_the_whole_service(fresh, rows, tenant, worker):
    rows.submit(tenant)
    worker.claim()
    rows.submit(tenant)
    rows.submit(tenant)
    rows.submit(tenant, model="of-an-older-catalogue")
    shown = scrape(f"{fresh.url}/metrics")
    jobs = {
        (model, state): shown.value("atelier_queue_jobs", model=model, state=state)
        for model in ("chaos", "chaos-two", "other")
        for state in ("pending", "queued", "processing")
    }
    assert {("chaos", "queued"): 2.0, ("chaos", "processing"): 1.0, ("other", "queued"): 1.0} == {
        labels: number for labels, number in jobs.items() if number
    }
    assert None not in jobs.values()
    assert 0 < shown.value("atelier_queue_oldest_seconds", model="chaos") < 60
    assert 0.0 == shown.value("atelier_queue_oldest_seconds", model="chaos-two")
    assert (1.0, 1.0) == (shown.value("atelier_database_up"), shown.value("atelier_broker_up"))
    assert 0.0 == shown.value("atelier_servers", state="offline")
    assert 1.0 == sum(shown.value("atelier_servers", state=state) for state in shown.labels("atelier_servers", "state"))


@pytest.mark.long
def test_what_is_due_is_shown(fresh, create, worker):
    create(callback_url="https://shop.example/hook")
    worker.complete(worker.claim(), ARTIFACT)
    shown = scrape(f"{fresh.url}/metrics")
    assert 1.0 == shown.value("atelier_webhooks_due")
    assert 0 < shown.value("atelier_webhooks_oldest_seconds") < 60


@pytest.mark.long
def test_it_does_not_ask_the_database_each_time(fresh, rows, tenant, server):
    queued = {"model": "chaos", "state": "queued"}
    assert 0.0 == scrape(f"{fresh.url}/metrics").value("atelier_queue_jobs", **queued)
    rows.submit(tenant)
    assert 0.0 == scrape(f"{fresh.url}/metrics").value("atelier_queue_jobs", **queued)


def test_requests_are_counted_by_route_and_never_by_path(api, client, create, server):
    def counted():
        shown = scrape(f"{api.url}/metrics")
        return {
            "made": shown.value("atelier_http_requests_total", route=ROUTE, method="POST", status="202") or 0,
            "timed": shown.value("atelier_http_request_seconds_count", route=ROUTE, method="POST") or 0,
            "refused": shown.value("atelier_http_requests_total", route=ROUTE, method="POST", status="401") or 0,
            "jobs": shown.value("atelier_jobs_submitted_total", model="chaos", modality="image") or 0,
            "found": shown.value("atelier_http_requests_total", route="/jobs/v1/{job_id}", method="GET", status="200")
            or 0,
            "lost": shown.value("atelier_http_requests_total", route="other", method="GET", status="404") or 0,
            "odd": shown.value("atelier_http_requests_total", route="other", method="other", status="405") or 0,
        }

    before = counted()
    job_id = create()
    with api.client() as anybody:
        assert 401 == anybody.post(ROUTE, json={"prompt": "a"}).status_code
        assert 404 == anybody.get("/nowhere/at/all").status_code
        assert 405 == anybody.request("PROPFIND", ROUTE).status_code
    assert 200 == client.get(f"/jobs/v1/{job_id}").status_code
    after = counted()
    assert {"made": 1, "timed": 2, "refused": 1, "jobs": 1, "found": 1, "lost": 1, "odd": 1} == {
        name: after[name] - before[name] for name in after
    }
    text = "".join(str(labels) for _, labels in scrape(f"{api.url}/metrics").samples)
    assert job_id not in text
    assert "nowhere" not in text


@pytest.mark.long
def test_a_repeated_key_makes_no_job_and_counts_none(api, client, server):
    def submitted():
        return scrape(f"{api.url}/metrics").value("atelier_jobs_submitted_total", model="chaos", modality="image") or 0

    before = submitted()
    for _ in range(2):
        answer = client.post(ROUTE, json={"prompt": "a"}, headers={"Idempotency-Key": "once"})
        assert 202 == answer.status_code
    assert before + 1 == submitted()


def test_the_content_type_is_prometheuss_own(api):
    with api.client() as anybody:
        assert CONTENT_TYPE_PLAIN_0_0_4 == anybody.get("/metrics").headers["content-type"]


def test_openmetrics_is_spoken_too(api):
    with api.client() as anybody:
        answer = anybody.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


@pytest.mark.long
def test_without_database_and_broker_it_answers_and_says_so(settings, rows, tenant, server):
    rows.submit(tenant)
    alone = msgspec.structs.replace(
        settings, database_url="postgresql://127.0.0.1:1/x", broker_url="redis://127.0.0.1:1/0"
    )
    with api_server(alone) as away:
        shown = scrape(f"{away.url}/metrics")
    assert (0.0, 0.0) == (shown.value("atelier_database_up"), shown.value("atelier_broker_up"))
    assert shown.value("atelier_queue_jobs", model="chaos", state="queued") is None
    assert set() == shown.labels("atelier_servers", "state")
    assert shown.value("atelier_webhooks_due") != shown.value("atelier_webhooks_due")  # not a number
