"""The router of servers and of the commands that operators send them."""

from api.http.dependencies import Router, provide
from api.native.servers.admin import ServerAdminRoutes
from api.native.servers.servers import ServerRoutes
from api.operations.server_commands import ServerCommands


def servers_router(server_commands: ServerCommands) -> Router:
    """Return the router."""
    return Router(
        "/", route_handlers=[ServerRoutes, ServerAdminRoutes], dependencies=provide(server_commands=server_commands)
    )
