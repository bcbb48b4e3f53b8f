"""Orders that reach a worker through Celery's remote control, handed to its supervisor.

They arrive on the thread that also hears the doorbells, so the supervisor must take or refuse one at once.
"""

import logging
from typing import Any, Protocol

import msgspec
from celery.worker.control import control_command

from core.errors import InvalidRequest, RequestRefused, UnknownModel
from jobs.server_commands import (
    COMMAND,
    CommandReply,
    ModelCommand,
    Preload,
    Recycle,
    Refresh,
    ServerCommand,
    Unload,
    read_command,
)

log = logging.getLogger(__name__)


class CommandHandler(Protocol):
    """Who obeys. Each method returns at once, the work goes on by itself; `OrderRefused` says why it will not."""

    @property
    def serves(self) -> tuple[str, ...]:
        """Models that can be loaded here."""

    def look(self) -> None:
        """Read again what the operator wants of this server."""

    def preload(self, model: str, pin: bool) -> None:
        """Load a model of `serves`; with `pin` it stays."""

    def unload(self, model: str | None) -> None:
        """Take a model of `serves`, or every one, out of the device's memory."""

    def recycle(self) -> None:
        """A fresh engine, between jobs."""


def handle(orderly: CommandHandler) -> None:
    """Have every order that reaches this process obeyed; called before Celery's worker starts."""

    def on_order(_: object, order: object = None, **__: object) -> dict[str, Any]:
        return msgspec.to_builtins(answer(orderly, order))  # type: ignore[no-any-return]

    control_command(name=COMMAND, visible=False)(on_order)


def answer(orderly: CommandHandler, message: object) -> CommandReply:
    """Check the message, give the order, and say what became of it."""
    try:
        order = read_command(message)
    except msgspec.ValidationError as error:
        log.warning("no order: %s", error)
        return CommandReply(False, InvalidRequest.code, f"This is no order: {error}.")
    try:
        _give(orderly, order)
    except RequestRefused as error:
        log.info("refused %s: %s", order, error)
        return CommandReply(False, error.code, error.detail)
    log.info("taken: %s", order)
    return CommandReply(True)


def _give(orderly: CommandHandler, order: ServerCommand) -> None:
    if isinstance(order, ModelCommand) and order.model is not None and order.model not in orderly.serves:
        raise UnknownModel(f"This server does not serve {order.model[:80]!r}.")
    match order:
        case Refresh():
            orderly.look()
        case Preload():
            orderly.preload(order.model, order.pin)
        case Unload():
            orderly.unload(order.model)
        case Recycle():
            orderly.recycle()
