"""The receiver of `atelier webhooks listen`."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection

import httpx
import pytest
from standardwebhooks import Webhook

from cli.http.webhook_listener import MOST_BYTES, ReceivedEvent, WebhookListener

SECRET, TENANTS, OTHER = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(3))
BODY = '{"type":"job.completed","timestamp":"2026-11-29T12:00:00Z","data":{"job_id":"job_1"}}'


class Heard(WebhookListener):
    """A listener with what it got and refused."""

    def __init__(self) -> None:
        self.events: list[ReceivedEvent] = []
        self.refusals: list[str] = []
        super().__init__(port=0, secrets=[TENANTS], on_event=self.events.append, on_refusal=self.refusals.append)
        self.secrets.append(SECRET)


@pytest.fixture
def listener() -> Iterator[Heard]:
    with Heard() as heard:
        yield heard


def signed(secret: str, message: str = "msg_1") -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(secret).sign(message, now, BODY)
    return {"webhook-id": message, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


@pytest.mark.parametrize("secret", [SECRET, TENANTS])
def test_what_is_signed_with_a_known_secret_is_accepted_once(listener: Heard, secret: str) -> None:
    for _ in range(2):  # a delivery may come twice
        assert 204 == httpx.post(listener.url, content=BODY, headers=signed(secret)).status_code
    (event,) = listener.events
    assert ("msg_1", "job_1") == (event.id, event.body["data"]["job_id"])
    assert [] == listener.refusals


@pytest.mark.parametrize("headers", [signed(OTHER), signed(SECRET) | {"webhook-id": "msg_2"}, {}])
def test_what_is_not_is_refused_with_the_way_out(listener: Heard, headers: dict[str, str]) -> None:
    assert 401 == httpx.post(listener.url, content=BODY, headers=headers).status_code
    (refusal,) = listener.refusals
    assert "`atelier webhooks secret` prints it" in refusal
    assert [] == listener.events


def test_a_body_without_an_end_is_not_read(listener: Heard) -> None:
    for length, status in ((str(MOST_BYTES + 1), 413), ("-1", 411), ("many", 411)):
        connection = HTTPConnection("127.0.0.1", httpx.URL(listener.url).port)
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        assert status == connection.getresponse().status
        connection.close()
    assert [] == listener.events


def test_it_listens_on_loopback_alone_and_ends_with_its_block() -> None:
    with Heard() as heard:
        assert heard.url.startswith("http://127.0.0.1:")
    with pytest.raises(httpx.ConnectError):
        httpx.post(heard.url, content=BODY)
