"""Which doorbells a worker hears: it listens only while a bell could be of use to it."""

import logging
from collections.abc import Sequence

from celery.worker.consumer import Consumer

log = logging.getLogger(__name__)


class QueueSubscription:
    """The worker's queues. `set_active` only says what is wanted; the consumer's own thread brings it about."""

    def __init__(self, queues: Sequence[str]) -> None:
        self.queues = tuple(queues)
        self._consumer: Consumer | None = None
        self._wanted = True

    def attach(self, consumer: Consumer) -> None:
        """The consumer is up; called once, since it stays the same over reconnects."""
        self._consumer = consumer

    def set_active(self, on: bool) -> None:
        """Listen, or leave the bells to others; from any thread, as often as one likes.

        Callbacks that are pending at once run in no particular order, and those that are pending when the broker
        goes away may be dropped. So each one looks at what is wanted when it runs, and the caller repeats itself.
        """
        self._wanted = on
        if self._consumer is not None and self._amiss():
            self._consumer.call_soon(self._apply)

    def _amiss(self) -> list[str]:
        """The queues that are not as they are wanted; none while there is no connection."""
        assert self._consumer is not None
        tasks = self._consumer.task_consumer
        if tasks is None:
            return []
        return [queue for queue in self.queues if tasks.consuming_from(queue) != self._wanted]

    def _apply(self) -> None:
        assert self._consumer is not None
        try:
            change = self._consumer.add_task_queue if self._wanted else self._consumer.cancel_task_queue
            for queue in self._amiss():
                change(queue)
        except Exception as error:  # of whatever kind: it would take other callbacks of the loop with it
            log.debug("queues not changed: %s", error)
