"""Channels of previews on a real Valkey: who asks, what arrives, and what a broker that is away costs."""

import pytest
from redis import Redis

from core.settings import Settings
from jobs.step_previews import PreviewPublisher, StepPreview, decode_preview, preview_channel
from tests.support.ports import free_port
from tests.support.wait import until

PREVIEW = StepPreview(step=2, of=4, image="data:image/webp;base64,AA==")


@pytest.fixture
def publisher(server):
    return PreviewPublisher(Settings(broker_url=server.url))


def test_being_subscribed_is_what_asks(server, publisher):
    with Redis.from_url(server.url).pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(preview_channel("job_1"))
        until(lambda: publisher.is_asked_for("job_1"), 5, "the subscription")
        assert not publisher.is_asked_for("job_2")
    until(lambda: not publisher.is_asked_for("job_1"), 5, "the end of the subscription")


def test_a_preview_reaches_the_subscribers_and_is_not_stored(server, publisher):
    redis = Redis.from_url(server.url)
    with redis.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(preview_channel("job_1"))
        until(lambda: publisher.is_asked_for("job_1"), 5, "the subscription")
        publisher.publish("job_2", PREVIEW)
        publisher.publish("job_1", PREVIEW)
        message = until(lambda: channel.get_message(timeout=1.0), 5, "the preview")
    assert PREVIEW == decode_preview(message["data"])
    assert [] == redis.keys()


def test_a_broker_that_is_away_asks_for_nothing():
    publisher = PreviewPublisher(Settings(broker_url=f"redis://127.0.0.1:{free_port()}/0", broker_timeout=0.2))
    assert not publisher.is_asked_for("job_1")
    publisher.publish("job_1", PREVIEW)
