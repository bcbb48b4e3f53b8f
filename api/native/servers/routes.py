"""The router of servers, of the commands that operators send them, and of the queue."""

from api.http.database import Database
from api.http.dependencies import Router, provide
from api.native.servers.admin import ServerAdminRoutes
from api.native.servers.queue import QueueReadings, queue
from api.native.servers.servers import ServerRoutes
from api.operations.server_commands import ServerCommands


def servers_router(server_commands: ServerCommands, database: Database) -> Router:
    """Return the router."""
    return Router(
        "/",
        route_handlers=[ServerRoutes, ServerAdminRoutes, queue],
        dependencies=provide(server_commands=server_commands, queue_readings=QueueReadings(database)),
    )
