"""The body of a webhook and its signature, checked with the library that receivers use."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from core.signing import webhook_secret
from jobs.wire.webhooks import WebhookTest, WebhookTestData
from workers.webhooks.payload import BOTH_SECRETS, encode, sign, signing_generations

OLD, NEW = (webhook_secret("secret", "ten_1", generation) for generation in (1, 2))
BODY = '{"type":"job.completed","text":"größer"}'.encode()


def test_a_receiver_accepts_the_signature():
    headers = sign("msg_1", datetime.now(UTC), BODY, [NEW])
    assert {"type": "job.completed", "text": "größer"} == Webhook(NEW).verify(BODY, headers)
    assert "msg_1" == headers["webhook-id"]


@pytest.mark.parametrize("hours", [-11, 2, 14])
def test_the_zone_of_the_clock_does_not_matter(hours):
    now = datetime.now(timezone(timedelta(hours=hours)))
    headers = sign("msg_1", now, BODY, [NEW])
    assert str(int(now.timestamp())) == headers["webhook-timestamp"]
    assert Webhook(NEW).verify(BODY, headers)


def test_while_both_secrets_live_either_verifies():
    headers = sign("msg_1", datetime.now(UTC), BODY, [NEW, OLD])
    assert 2 == len(headers["webhook-signature"].split(" "))
    assert Webhook(OLD).verify(BODY, headers)
    assert Webhook(NEW).verify(BODY, headers)


def test_another_body_id_or_secret_does_not_verify():
    headers = sign("msg_1", datetime.now(UTC), BODY, [NEW])
    for body, changed, secret in (
        (BODY + b" ", {}, NEW),
        (BODY, {"webhook-id": "msg_2"}, NEW),
        (BODY, {}, OLD),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers | changed)


def test_the_old_secret_signs_for_a_day_after_a_rotation():
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert [1] == signing_generations(1, None, now)
    assert [1] == signing_generations(1, now, now)
    assert [2, 1] == signing_generations(2, now - timedelta(seconds=1), now)
    assert [2, 1] == signing_generations(2, now - BOTH_SECRETS + timedelta(seconds=1), now)
    assert [2] == signing_generations(2, now - BOTH_SECRETS, now)


@pytest.mark.parametrize("hours", [-11, 0, 2, 14])
def test_the_timestamp_of_a_body_is_in_utc(hours):
    happened_at = datetime(2026, 1, 2, 12, tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
    body = msgspec.json.decode(encode(WebhookTest("webhook.test", happened_at, WebhookTestData("wh_1"))))
    assert {
        "type": "webhook.test",
        "timestamp": "2026-01-02T12:00:00Z",
        "data": {"webhook_id": "wh_1"},
    } == body
