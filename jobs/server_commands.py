"""Orders to a living worker, through Celery's remote control: what is said, and to whom.

They only make sooner, or ask for, what the worker decides; losing one loses nothing. `Look` needs no answer.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

COMMAND = "atelier.order"
"""Name of the control command; its one argument is `order`."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class _Command(msgspec.Struct, frozen=True, tag_field="order", forbid_unknown_fields=True):
    """What every order shares: its name in the field `order`."""


class Look(_Command, frozen=True, tag="look"):
    """Read again what the operator wants of this server."""


class Preload(_Command, frozen=True, tag="preload"):
    """Load a model; with `pin` it then stays until it is unloaded by name."""

    model: Name
    pin: bool = False


class Unload(_Command, frozen=True, tag="unload"):
    """Take a model out of the device's memory, pinned or not; every one without a name."""

    model: Name | None = None


class Recycle(_Command, frozen=True, tag="recycle"):
    """Start a fresh engine, once the running job is done."""


ServerCommand = Look | Preload | Unload | Recycle


class CommandReply(msgspec.Struct, frozen=True):
    """What the worker says of an order: taken, or the code and the sentence of its refusal."""

    taken: bool
    code: str = ""
    detail: str = ""


def node_name(server_id: str) -> str:
    """A server's name among Celery's workers."""
    return f"gpu@{server_id}"


def arguments(order: ServerCommand) -> dict[str, Any]:
    """The order as the control command's arguments."""
    return {"order": msgspec.to_builtins(order)}


def read_command(message: object) -> ServerCommand:
    """The order in the argument of a control command; raises `msgspec.ValidationError` for anything else."""
    order: ServerCommand = msgspec.convert(message, ServerCommand)
    return order
