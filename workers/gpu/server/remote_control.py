"""Server commands that reach a worker through Celery's remote control, passed to its supervisor.

They arrive on the thread that also receives the doorbells, so the supervisor must accept or refuse one at once.
"""

import logging
from typing import Any, Protocol

import msgspec
from celery.worker.control import control_command

from core.errors.base import RequestRefused
from core.errors.fields import InvalidRequest, UnknownModel
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
    """The supervisor, as commands see it.

    Each method returns at once, and the work goes on in another thread. Raises `CommandRefused`.
    """

    @property
    def serves(self) -> tuple[str, ...]:
        """Ids of the models that can be loaded here."""

    def refresh(self) -> None:
        """Read again what the operator wants of this server."""

    def preload(self, model: str, pin: bool) -> None:
        """Load a model of `serves`; with `pin` it stays."""

    def unload(self, model: str | None) -> None:
        """Take a model of `serves`, or every one, out of the device's memory."""

    def recycle(self) -> None:
        """Replace the engine, between jobs."""


def handle(handler: CommandHandler) -> None:
    """Pass every command that reaches this process to `handler`; called before Celery's worker starts."""

    def on_command(_: object, order: object = None, **__: object) -> dict[str, Any]:
        return msgspec.to_builtins(answer(handler, order))  # type: ignore[no-any-return]

    control_command(name=COMMAND, visible=False)(on_command)


def answer(handler: CommandHandler, message: object) -> CommandReply:
    """Check the message, pass the command on, and return what became of it."""
    try:
        command = read_command(message)
    except msgspec.ValidationError as error:
        log.warning("command: invalid reason=%r", str(error))
        return CommandReply(False, InvalidRequest.code, f"Invalid server command: {error}.")
    try:
        _pass_on(handler, command)
    except RequestRefused as error:
        log.info("command: refused command=%s reason=%r", command, str(error))
        return CommandReply(False, error.code, error.detail)
    log.info("command: accepted command=%s", command)
    return CommandReply(True)


def _pass_on(handler: CommandHandler, command: ServerCommand) -> None:
    if isinstance(command, ModelCommand) and command.model is not None and command.model not in handler.serves:
        raise UnknownModel(f"This server does not serve {command.model[:80]!r}.")
    match command:
        case Refresh():
            handler.refresh()
        case Preload():
            handler.preload(command.model, command.pin)
        case Unload():
            handler.unload(command.model)
        case Recycle():
            handler.recycle()
