"""Webhook endpoints through VideoGen's own client."""

import pytest

EVENTS = ["tool_execution.succeeded", "file.upload.completed"]


@pytest.fixture
def endpoint(vg):
    return vg.webhooks.create_webhook_endpoint(url="https://shop.example/hook", events=EVENTS, description="the shop")


@pytest.mark.contract("D36")
def test_a_new_endpoint_shows_its_secret_once(vg, endpoint):
    secret = endpoint["signing_secret"]
    assert secret.startswith("whsec_")
    assert endpoint == {
        "endpoint_id": endpoint["endpoint_id"],
        "url": "https://shop.example/hook",
        "events": EVENTS,
        "description": "the shop",
        "created_at": endpoint["created_at"],
        "signing_secret_last4": secret[-4:],
        "signing_secret": secret,
    }
    assert endpoint["endpoint_id"].startswith("ep_")
    (listed,) = vg.webhooks.list_webhook_endpoints()["endpoints"]
    assert listed == {name: value for name, value in endpoint.items() if name != "signing_secret"}


@pytest.mark.contract("D35")
def test_endpoints_are_listed_by_pages_without_native_ones(vg, client, endpoint):
    client.post("/webhooks/v1", json={"url": "https://shop.example/native"}).raise_for_status()
    second = vg.webhooks.create_webhook_endpoint(url="https://shop.example/two", events=EVENTS)
    first_page = vg.webhooks.list_webhook_endpoints(limit=1)
    assert [second["endpoint_id"]] == [one["endpoint_id"] for one in first_page["endpoints"]]
    rest = vg.webhooks.list_webhook_endpoints(limit=1, cursor=first_page["next_cursor"])
    assert ([endpoint["endpoint_id"]], False) == (
        [one["endpoint_id"] for one in rest["endpoints"]],
        rest["has_more"],
    )
    assert 3 == len(client.get("/webhooks/v1").json()["webhooks"])


@pytest.mark.contract("D37")
def test_an_endpoint_is_removed(vg, endpoint, stranger_vg, refused):
    gone = refused(stranger_vg.webhooks.delete_webhook_endpoint, endpoint_id=endpoint["endpoint_id"])
    assert (404, "not_found") == (gone.status, gone.body["code"])
    assert vg.webhooks.delete_webhook_endpoint(endpoint_id=endpoint["endpoint_id"]) is None
    assert [] == vg.webhooks.list_webhook_endpoints()["endpoints"]
    assert 404 == refused(vg.webhooks.delete_webhook_endpoint, endpoint_id=endpoint["endpoint_id"]).status


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "https://shop.example", "events": []},
        {"url": "https://shop.example", "events": ["job.completed"]},
        {"url": "ftp://shop.example", "events": EVENTS},
        {"url": "http://10.0.0.1/", "events": EVENTS},
        {"events": EVENTS},
    ],
)
def test_a_wrong_endpoint_is_refused(vg, refused, fields):
    error = refused(vg.webhooks.create_webhook_endpoint, **fields)
    assert (400, "invalid_parameters") == (error.status, error.body["code"])


def test_jobs_of_other_formats_make_no_delivery(vg, client, endpoint, worker, rows):
    client.post("/generate/image/v1", json={"prompt": "a native job"}).raise_for_status()
    worker.complete(worker.claim())
    assert [] == rows.deliveries()
    vg.tools.generate_image(prompt="a job of the client")
    worker.complete(worker.claim())
    assert ["job.completed"] == [one.type for one in rows.deliveries()]
