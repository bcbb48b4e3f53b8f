"""The router of profiles."""

from api.http.dependencies import Router, provide
from api.native.profiles.profiles import ProfileRoutes
from api.operations.profiles import ProfileOperations


def profiles_router(profiles: ProfileOperations) -> Router:
    """Return the router."""
    return Router("/", route_handlers=[ProfileRoutes], dependencies=provide(profiles=profiles))
