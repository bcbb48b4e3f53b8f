"""What an operator may have a server do; every route here asks for the admin scope."""

from typing import Annotated

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from api.http.auth import Caller, admins_only
from api.http.database import Database
from api.native.servers.servers import find_server, known_name, server_answer
from api.openapi.documents import error_responses
from api.operations.server_commands import ServerCommands
from core.errors import (
    BrokerUnavailable,
    CommandRefused,
    Forbidden,
    InvalidRequest,
    ServerOffline,
    UnknownModel,
    UnknownServer,
)
from jobs.server_commands import ModelCommand, Name, Preload, Recycle, ServerCommand, Unload
from jobs.statements import servers
from jobs.wire.servers import CommandAccepted, Desired, ServerAnswer

WISHED = error_responses(Forbidden, UnknownServer)
ORDERED = error_responses(Forbidden, UnknownServer, ServerOffline, CommandRefused, BrokerUnavailable)
ORDERED_WITH_MODEL = error_responses(
    Forbidden, UnknownServer, ServerOffline, CommandRefused, BrokerUnavailable, InvalidRequest, UnknownModel
)


class PreloadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model to load."""

    model: Annotated[Name, Meta(description="One of the models that the server `serves`.")]
    pin: Annotated[bool, Meta(description="Keep it until it is unloaded by name.")] = False


class UnloadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model to unload."""

    model: Annotated[Name, Meta(description="One of the models that the server `serves`.")] | None = None


class ServerAdminRoutes(Controller):
    """Cordon, drain, preload, unload, recycle."""

    path = "/servers/v1"
    tags = ("Servers",)
    guards = (admins_only,)

    @post("/{server_id:str}/cordon", status_code=200, responses=WISHED, summary="Take no more jobs")
    async def cordon(
        self,
        server_id: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> ServerAnswer:
        """It takes no job until it is uncordoned; a restart does not change that. Jobs that ask for it wait."""
        return await _set_desired_state(database, server_commands, caller, server_id, "cordoned")

    @post("/{server_id:str}/uncordon", status_code=200, responses=WISHED, summary="Take jobs again")
    async def uncordon(
        self,
        server_id: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> ServerAnswer:
        """After `cordon` or `drain`."""
        return await _set_desired_state(database, server_commands, caller, server_id, "active")

    @post("/{server_id:str}/drain", status_code=200, responses=WISHED, summary="Finish what runs, take no more")
    async def drain(
        self,
        server_id: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> ServerAnswer:
        """Its `state` is `draining`, and `drained` once nothing is left; the process stays up."""
        return await _set_desired_state(database, server_commands, caller, server_id, "draining")

    @post("/{server_id:str}/preload", status_code=202, responses=ORDERED_WITH_MODEL, summary="Load a model")
    async def preload(
        self,
        server_id: FromPath[str],
        data: JSONBody[PreloadRequest],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> CommandAccepted:
        """Load a model before a job needs it."""
        return await _order(database, server_commands, server_id, Preload(data.model, data.pin))

    @post("/{server_id:str}/unload", status_code=202, responses=ORDERED_WITH_MODEL, summary="Unload models")
    async def unload(
        self,
        server_id: FromPath[str],
        data: JSONBody[UnloadRequest],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> CommandAccepted:
        """Take one model out of the device's memory, or all of them."""
        return await _order(database, server_commands, server_id, Unload(data.model))

    @post("/{server_id:str}/recycle", status_code=202, responses=ORDERED, summary="Start a fresh engine")
    async def recycle(
        self,
        server_id: FromPath[str],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> CommandAccepted:
        """The engine process is replaced once the running job is done."""
        return await _order(database, server_commands, server_id, Recycle())


async def _set_desired_state(
    database: Database, server_commands: ServerCommands, caller: Caller, server_id: str, desired: Desired
) -> ServerAnswer:
    row = await database.row(servers.desire(known_name(server_id), desired))
    if row is None:
        raise UnknownServer
    server_commands.nudge(server_id)
    return server_answer(row, caller)


async def _order(
    database: Database, server_commands: ServerCommands, server_id: str, order: ServerCommand
) -> CommandAccepted:
    row = await find_server(database, server_id)
    model = order.model if isinstance(order, ModelCommand) else None
    if model is not None and model not in row.serves:
        serves = ", ".join(row.serves)
        raise UnknownModel(f"This server does not serve {model!r}; it serves {serves}.", field="$.model")
    if not row.alive:
        raise ServerOffline
    await server_commands.give(server_id, order)
    return CommandAccepted(server_id, type(order).__name__.lower(), model)
