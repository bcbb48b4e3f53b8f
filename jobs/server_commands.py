"""Commands to a living worker through Celery's remote control: their structs, their name, and the reply.

A command only asks for what the worker decides, or makes it sooner; a lost command loses nothing. `Refresh` has no
reply. Field names and tags travel through the broker between versions and therefore stay as they are.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

COMMAND = "atelier.order"
"""Name of the control command; its one argument is `order`."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class _Command(msgspec.Struct, frozen=True, tag_field="order", forbid_unknown_fields=True):
    """Root of the commands; the field `order` holds a command's tag."""


class ModelCommand(_Command, frozen=True):
    """Root of the commands about models; None stands for every model."""

    model: Name | None


class Refresh(_Command, frozen=True, tag="look"):
    """Command to read the desired state of this server again."""


class Preload(ModelCommand, frozen=True, tag="preload"):
    """Command to load a model; with `pin` it then stays until it is unloaded by name."""

    model: Name
    pin: bool = False


class Unload(ModelCommand, frozen=True, tag="unload"):
    """Command to take a model out of the device's memory, pinned or not; without a name, every model."""

    model: Name | None = None


class Recycle(_Command, frozen=True, tag="recycle"):
    """Command to start a fresh engine, once the running job is done."""


ServerCommand = Refresh | Preload | Unload | Recycle


class CommandReply(msgspec.Struct, frozen=True):
    """The worker's reply to a command: accepted (`taken`), or the code and the sentence of its refusal."""

    taken: bool
    code: str = ""
    detail: str = ""


def node_name(server_id: str) -> str:
    """Return a server's name among Celery's workers."""
    return f"gpu@{server_id}"


def command_arguments(command: ServerCommand) -> dict[str, Any]:
    """Return a command as the arguments of Celery's control command."""
    return {"order": msgspec.to_builtins(command)}


def read_command(message: object) -> ServerCommand:
    """Return the command in the argument of a control command; raises `msgspec.ValidationError` for anything else."""
    command: ServerCommand = msgspec.convert(message, ServerCommand)
    return command
