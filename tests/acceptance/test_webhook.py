"""A job's end is sent to its callback, signed."""

from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook

from core.signing import webhook_secret
from jobs.statements.api_keys import set_budget
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.service import Service
from tests.support.wait import until


@pytest.fixture
def sink() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as made:
        yield made


@pytest.mark.contract("C5", "E2")
def test_the_callback_gets_the_status_answer(studio: Service, sink: WebhookReceiver) -> None:
    body = {"prompt": "a green star on white", "width": 256, "height": 256, "callback_url": f"{sink.url}/done"}
    accepted = studio.client.post("/generate/image/v1", json=body)
    assert 202 == accepted.status_code
    (received,) = until(lambda: list(sink.received), 60, "the webhook")
    secret = webhook_secret(studio.settings.secret_key, studio.tenant, 1)
    event = Webhook(secret).verify(received.body, received.headers)
    status = studio.client.get(accepted.headers["location"]).json()
    assert ("job.completed", status["finished_at"]) == (event["type"], event["timestamp"])
    assert status == event["data"]


@pytest.mark.contract("C11")
def test_a_budget_shows_what_is_left(studio: Service) -> None:
    job_id = studio.submit("a red ring on black", model="demo-shapes", width=256, height=256)
    path = f"/generate/image/v1/status/{job_id}"
    assert studio.client.get(path).json()["balance_remaining_usd"] is None
    with studio.database.begin() as connection:
        connection.execute(set_budget(studio.tenant, 12.5))
    assert 12.5 == studio.client.get(path).json()["balance_remaining_usd"]
    with studio.database.begin() as connection:
        connection.execute(set_budget(studio.tenant, 0))
    refused = studio.client.post("/generate/image/v1", json={"prompt": "a red ring"})
    assert (402, "budget_exhausted") == (refused.status_code, refused.json()["code"])
    with studio.database.begin() as connection:
        connection.execute(set_budget(studio.tenant, None))
    studio.ended(job_id, 60)
