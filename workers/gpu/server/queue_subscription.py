"""Subscription to the Celery queues of this server and its models, while a doorbell could be of use."""

import logging
import time
from collections.abc import Sequence

from celery.worker.consumer import Consumer

from jobs.doorbell import bell_queue

log = logging.getLogger(__name__)

POLL_SECONDS = 0.02


class QueueSubscription:
    """The worker's queues; `set_active` sets what is wanted, and the consumer's own thread brings it about."""

    def __init__(self, queues: Sequence[str]) -> None:
        self.queues = tuple(queues)
        self._consumer: Consumer | None = None
        self._wanted = True

    def attach(self, consumer: Consumer) -> None:
        """Use this consumer; called once, since it stays the same over reconnects."""
        self._consumer = consumer

    def add(self, queues: Sequence[str]) -> None:
        """Listen to these queues, too; from any thread."""
        self.queues += tuple(queues)
        self.set_active(self._wanted)

    def set_active(self, on: bool) -> None:
        """Subscribe, or leave the doorbells to other workers; from any thread, as often as the caller wants.

        Callbacks that are pending at once run in no particular order, and those that are pending when the broker goes
        away may be dropped. So each one reads what is wanted when it runs, and the caller repeats its call.
        """
        self._wanted = on
        if self._consumer is not None and self._wrong_queues():
            self._consumer.call_soon(self._apply)

    def await_applied(self, seconds: float) -> bool:
        """Wait until the queues are as wanted, for so many seconds at most; return whether they are.

        Without a connection there is nothing to wait for.
        """
        until = time.monotonic() + seconds
        while self._consumer is not None and self._wrong_queues():
            if time.monotonic() > until:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _wrong_queues(self) -> list[str]:
        """Return the queues that are not as wanted; none without a connection."""
        assert self._consumer is not None
        tasks = self._consumer.task_consumer
        if tasks is None:
            return []
        return [queue for queue in self.queues if tasks.consuming_from(queue) != self._wanted]

    def _apply(self) -> None:
        assert self._consumer is not None
        try:
            known = self._consumer.app.amqp.queues
            change = self._consumer.add_task_queue if self._wanted else self._consumer.cancel_task_queue
            for queue in self._wrong_queues():
                if queue not in known:
                    known.add(bell_queue(queue))
                change(queue)
        except Exception as error:  # of any kind: it would end the loop's other callbacks too
            log.debug("queues: not changed reason=%r", str(error))
