"""The queues of a server, with a consumer that applies changes when the test lets it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.wait import seconds
from workers.gpu.server.queue_subscription import QueueSubscription


class Consumer:
    """Celery's consumer as the subscription uses it."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.consumed: set[str] = set()
        self.applies_at_once = False
        self.task_consumer: Any = SimpleNamespace(consuming_from=self.consumed.__contains__)
        self.app = SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(add=lambda queue: None)))
        self.app.amqp.queues = type("Queues", (set,), {"add": lambda self, queue: None})()
        self.add_task_queue = self.consumed.add
        self.cancel_task_queue = self.consumed.discard

    def call_soon(self, act: Callable[[], None]) -> None:
        self.calls.append(act)
        if self.applies_at_once:
            act()


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def subscription(consumer: Consumer) -> QueueSubscription:
    made = QueueSubscription(["gpu-1"])
    made.attach(consumer)  # type: ignore[arg-type]
    return made


def test_a_queue_is_awaited_until_it_is_consumed(subscription: QueueSubscription, consumer: Consumer) -> None:
    subscription.add(["model-a"])
    assert not subscription.await_applied(0.0)
    consumer.calls[0]()
    assert subscription.await_applied(0.0)
    assert {"gpu-1", "model-a"} == consumer.consumed


def test_the_wait_for_a_queue_has_an_end(subscription: QueueSubscription) -> None:
    subscription.add(["model-a"])
    assert 0.05 <= seconds(lambda: subscription.await_applied(0.05)) < 5


def test_without_a_broker_there_is_nothing_to_wait_for(subscription: QueueSubscription, consumer: Consumer) -> None:
    consumer.task_consumer = None
    subscription.add(["model-a"])
    assert subscription.await_applied(60.0)
    assert QueueSubscription(["gpu-1"]).await_applied(60.0)


def test_a_cordoned_server_waits_for_no_queue(subscription: QueueSubscription) -> None:
    subscription.set_active(False)
    subscription.add(["model-a"])
    assert subscription.await_applied(60.0)
