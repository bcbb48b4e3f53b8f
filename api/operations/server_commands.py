"""Commands to workers, sent from threads of their own: no request but the command's own waits for the broker."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import redis
from kombu.exceptions import KombuError

from core.errors.base import AtelierError
from core.errors.conflicts import CommandRefused
from core.errors.fields import UnknownModel
from core.errors.unavailable import BrokerUnavailable
from core.settings import Settings
from jobs.doorbell import celery_app
from jobs.server_commands import COMMAND, CommandReply, Refresh, ServerCommand, command_arguments, node_name

log = logging.getLogger(__name__)

THREADS = 2
SLACK_SECONDS = 2.0
"""Beyond the timeout of the reply: for a free thread and a connection."""
REFUSALS: dict[str, type[AtelierError]] = {kind.code: kind for kind in (UnknownModel, CommandRefused)}


class ServerCommands:
    """The sender of commands. Each command has a connection of its own, since a kept one may have died unnoticed."""

    def __init__(self, settings: Settings) -> None:
        self._app = celery_app(settings)
        self._seconds = settings.order_timeout
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="server-commands")

    def nudge(self, server_id: str) -> None:
        """Make a server read its row now; never wait, never raise. Without a broker its next heartbeat does it."""
        self._threads.submit(self._nudge, server_id)

    async def send(self, server_id: str, command: ServerCommand) -> None:
        """Return once the server has accepted the command.

        Raises `UnknownModel` and `CommandRefused` with the server's text, `BrokerUnavailable` when no reply came.
        """
        reply_future = asyncio.wrap_future(self._threads.submit(self._request, server_id, command))
        try:
            async with asyncio.timeout(self._seconds + SLACK_SECONDS):
                reply = await reply_future
        except TimeoutError:
            raise BrokerUnavailable from None
        if not reply.taken:
            raise REFUSALS.get(reply.code, CommandRefused)(reply.detail)

    def close(self) -> None:
        """Drop the commands that still wait for a thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _nudge(self, server_id: str) -> None:
        try:
            self._broadcast(server_id, Refresh(), reply=False)
        except BrokerUnavailable:
            log.warning("server command: nudge not sent, the next heartbeat reads the row server=%s", server_id)

    def _request(self, server_id: str, command: ServerCommand) -> CommandReply:
        replies = self._broadcast(server_id, command, reply=True)
        if not replies:
            raise BrokerUnavailable(
                f"The server is alive but did not reply within {self._seconds:g} s; it may not reach the broker. "
                "Try again in a few seconds; a repeated command does no harm."
            )
        try:
            return msgspec.convert(replies[0][node_name(server_id)], CommandReply)
        except (KeyError, msgspec.ValidationError):
            raise CommandRefused("The server could not read this command; look for the reason in its log.") from None

    def _broadcast(self, server_id: str, command: ServerCommand, *, reply: bool) -> Sequence[dict[str, object]]:
        try:
            with self._app.connection_for_write() as connection:
                replies = self._app.control.broadcast(
                    COMMAND,
                    command_arguments(command),
                    destination=[node_name(server_id)],
                    connection=connection,
                    reply=reply,
                    timeout=self._seconds,
                )
        except (redis.RedisError, KombuError, OSError) as error:
            log.warning("server command: not sent server=%s command=%s error=%s", server_id, command, error)
            raise BrokerUnavailable from error
        return replies or ()
