"""Commands of an operator to a server; every route requires the admin scope."""

from typing import Annotated

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from api.http.auth import Caller, needs
from api.http.database import Database
from api.http.strict_json import BODY_ERRORS
from api.native.servers.servers import check_name, find_server, server_answer
from api.openapi.documents import error_responses
from api.operations.server_commands import ServerCommands
from core.errors.conflicts import CommandRefused, ServerOffline
from core.errors.fields import UnknownModel
from core.errors.unavailable import BrokerUnavailable
from core.errors.unknown import UnknownServer
from jobs.server_commands import ModelCommand, Name, Preload, Recycle, ServerCommand, Unload
from jobs.statements import servers
from jobs.wire.servers import CommandAccepted, Desired, ServerAnswer

STATE_RESPONSES = error_responses(UnknownServer)
COMMAND_RESPONSES = error_responses(UnknownServer, ServerOffline, CommandRefused, BrokerUnavailable)
MODEL_COMMAND_RESPONSES = error_responses(
    *BODY_ERRORS, *(UnknownServer, ServerOffline, CommandRefused, BrokerUnavailable, UnknownModel)
)


class PreloadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model to load."""

    model: Annotated[Name, Meta(description="One of the models that the server `serves`.")]
    pin: Annotated[bool, Meta(description="Keep it until it is unloaded by name.")] = False


class UnloadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model to unload; all of them when it is left out."""

    model: Annotated[Name, Meta(description="One of the models that the server `serves`.")] | None = None


class ServerAdminRoutes(Controller):
    """Routes that cordon, drain, preload, unload and recycle."""

    path = "/servers/v1"
    tags = ("Servers",)
    opt = needs("servers")

    @post("/{server_id:str}/cordon", status_code=200, responses=STATE_RESPONSES, summary="Take no more jobs")
    async def cordon(
        self,
        server_id: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> ServerAnswer:
        """Stop the server from taking jobs until it is uncordoned, also over a restart. Jobs that require it wait."""
        return await _set_desired_state(database, server_commands, caller, server_id, "cordoned")

    @post("/{server_id:str}/uncordon", status_code=200, responses=STATE_RESPONSES, summary="Take jobs again")
    async def uncordon(
        self,
        server_id: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> ServerAnswer:
        """Let the server take jobs again, after `cordon` or `drain`."""
        return await _set_desired_state(database, server_commands, caller, server_id, "active")

    @post(
        "/{server_id:str}/drain",
        status_code=200,
        responses=STATE_RESPONSES,
        summary="Finish the running job, take no more",
    )
    async def drain(
        self,
        server_id: FromPath[str],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> ServerAnswer:
        """Let the server finish its job and take no more; its `state` is `draining`, then `drained`. It stays up."""
        return await _set_desired_state(database, server_commands, caller, server_id, "draining")

    @post("/{server_id:str}/preload", status_code=202, responses=MODEL_COMMAND_RESPONSES, summary="Load a model")
    async def preload(
        self,
        server_id: FromPath[str],
        data: JSONBody[PreloadRequest],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> CommandAccepted:
        """Load a model before a job needs it."""
        return await _send_command(database, server_commands, server_id, Preload(data.model, data.pin))

    @post("/{server_id:str}/unload", status_code=202, responses=MODEL_COMMAND_RESPONSES, summary="Unload models")
    async def unload(
        self,
        server_id: FromPath[str],
        data: JSONBody[UnloadRequest],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> CommandAccepted:
        """Remove one model from the device's memory, or all of them."""
        return await _send_command(database, server_commands, server_id, Unload(data.model))

    @post("/{server_id:str}/recycle", status_code=202, responses=COMMAND_RESPONSES, summary="Start a new engine")
    async def recycle(
        self,
        server_id: FromPath[str],
        database: NamedDependency[Database],
        server_commands: NamedDependency[ServerCommands],
    ) -> CommandAccepted:
        """Replace the engine process once the running job has ended."""
        return await _send_command(database, server_commands, server_id, Recycle())


async def _set_desired_state(
    database: Database, server_commands: ServerCommands, caller: Caller, server_id: str, desired: Desired
) -> ServerAnswer:
    row = await database.row(servers.desire(check_name(server_id), desired))
    if row is None:
        raise UnknownServer
    server_commands.nudge(server_id)
    return server_answer(row, caller)


async def _send_command(
    database: Database, server_commands: ServerCommands, server_id: str, command: ServerCommand
) -> CommandAccepted:
    row = await find_server(database, server_id)
    model = command.model if isinstance(command, ModelCommand) else None
    if model is not None and model not in row.serves:
        serves = ", ".join(row.serves)
        raise UnknownModel(f"This server does not serve {model!r}; choose one of {serves}.", field="$.model")
    if not row.alive:
        raise ServerOffline
    await server_commands.send(server_id, command)
    return CommandAccepted(server_id, type(command).__name__.lower(), model)
