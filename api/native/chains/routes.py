"""The router of chains."""

from api.chains.operations import ChainOperations
from api.chains.submissions import ChainSubmissions
from api.http.dependencies import Router, provide
from api.native.chains.chains import ChainRoutes


def chains_router(chain_submissions: ChainSubmissions, chain_operations: ChainOperations) -> Router:
    """Return the router."""
    return Router(
        "/",
        route_handlers=[ChainRoutes],
        dependencies=provide(chain_submissions=chain_submissions, chain_operations=chain_operations),
    )
