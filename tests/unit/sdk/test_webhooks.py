"""Verification of webhooks by the Python SDK, against signatures of the service's own sender."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from atelier_client import WebhookRefused, verify_webhook
from core.signing import webhook_secrets
from tests.support.service.scripted_api import JOB
from workers.webhooks.payload import sign

(SECRET,) = webhook_secrets("a secret of the tests of 32 bytes", "tenant", 1)[:1]


def message(now: datetime, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"type": "job.completed", "timestamp": "2026-01-01T00:00:00Z", "data": JOB}).encode()
    return body, sign("msg_1", now, body, [secret])


def test_a_right_signature_gives_the_event():
    body, headers = message(datetime.now(UTC))
    event = verify_webhook(body, {name.title(): value for name, value in headers.items()}, SECRET)
    assert ("job.completed", "job_1") == (event.type, event.data.job_id)


def test_a_changed_body_is_refused():
    body, headers = message(datetime.now(UTC))
    with pytest.raises(WebhookRefused):
        verify_webhook(body.replace(b"job_1", b"job_2"), headers, SECRET)


def test_another_secret_is_refused():
    body, headers = message(datetime.now(UTC))
    with pytest.raises(WebhookRefused):
        verify_webhook(body, headers, "whsec_" + "A" * 32)


def test_an_old_message_is_refused():
    body, headers = message(datetime.now(UTC) - timedelta(minutes=10))
    with pytest.raises(WebhookRefused, match="too old"):
        verify_webhook(body, headers, SECRET)


def test_a_message_without_headers_is_refused():
    with pytest.raises(WebhookRefused):
        verify_webhook(b"{}", {}, SECRET)
