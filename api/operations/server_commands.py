"""Sends orders to workers, from threads of its own: no request but the order's own waits for the broker."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import redis
from kombu.exceptions import KombuError

from core.errors import AtelierError, BrokerUnavailable, CommandRefused, UnknownModel
from core.settings import Settings
from jobs.doorbell import celery_app
from jobs.server_commands import COMMAND, CommandReply, Refresh, ServerCommand, command_arguments, node_name

log = logging.getLogger(__name__)

THREADS = 2
SLACK_SECONDS = 2.0
"""Beyond the answer's own time: for a free thread and a connection."""
REFUSALS: dict[str, type[AtelierError]] = {kind.code: kind for kind in (UnknownModel, CommandRefused)}


class ServerCommands:
    """The way to every worker. Each order has a connection of its own: a kept one may have died unnoticed."""

    def __init__(self, settings: Settings) -> None:
        self._app = celery_app(settings)
        self._seconds = settings.order_timeout
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="orders")

    def nudge(self, server_id: str) -> None:
        """Have a server read its row now; never waits, never raises. Without a broker its next heartbeat does it."""
        self._threads.submit(self._nudge, server_id)

    async def give(self, server_id: str, order: ServerCommand) -> None:
        """Return once the server has taken the order.

        Raises `UnknownModel` and `CommandRefused` in the server's words, `BrokerUnavailable` when no answer came.
        """
        sent = asyncio.wrap_future(self._threads.submit(self._ask, server_id, order))
        try:
            async with asyncio.timeout(self._seconds + SLACK_SECONDS):
                reply = await sent
        except TimeoutError:
            raise BrokerUnavailable from None
        if not reply.taken:
            raise REFUSALS.get(reply.code, CommandRefused)(reply.detail)

    def close(self) -> None:
        """Forget what still waits for a thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _nudge(self, server_id: str) -> None:
        try:
            self._send(server_id, Refresh(), reply=False)
        except BrokerUnavailable:
            log.warning("server %s was not nudged: its next heartbeat reads what is wanted of it", server_id)

    def _ask(self, server_id: str, order: ServerCommand) -> CommandReply:
        answers = self._send(server_id, order, reply=True)
        if not answers:
            raise BrokerUnavailable(
                f"The server is alive and did not answer within {self._seconds:g} s; it may not reach the broker. "
                "Try again in a few seconds: an order that comes twice does no harm."
            )
        try:
            return msgspec.convert(answers[0][node_name(server_id)], CommandReply)
        except (KeyError, msgspec.ValidationError):
            raise CommandRefused("The server could not take this order; its log says why.") from None

    def _send(self, server_id: str, order: ServerCommand, *, reply: bool) -> Sequence[dict[str, object]]:
        try:
            with self._app.connection_for_write() as connection:
                answers = self._app.control.broadcast(
                    COMMAND,
                    command_arguments(order),
                    destination=[node_name(server_id)],
                    connection=connection,
                    reply=reply,
                    timeout=self._seconds,
                )
        except (redis.RedisError, KombuError, OSError) as error:
            log.warning("server %s: the broker does not take %s: %s", server_id, order, error)
            raise BrokerUnavailable from error
        return answers or ()
