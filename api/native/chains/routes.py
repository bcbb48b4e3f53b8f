"""The router of chains and storyboards."""

from api.chains.estimates import ChainEstimates
from api.chains.operations import ChainOperations
from api.chains.storyboards import StoryboardSubmissions
from api.chains.submissions import ChainSubmissions
from api.http.dependencies import Router, provide
from api.native.chains.chains import ChainRoutes
from api.native.chains.storyboards import StoryboardRoutes


def chains_router(
    chain_submissions: ChainSubmissions,
    chain_operations: ChainOperations,
    storyboard_submissions: StoryboardSubmissions,
    chain_estimates: ChainEstimates,
) -> Router:
    """Return the router."""
    return Router(
        "/",
        route_handlers=[ChainRoutes, StoryboardRoutes],
        dependencies=provide(
            chain_submissions=chain_submissions,
            chain_operations=chain_operations,
            storyboard_submissions=storyboard_submissions,
            chain_estimates=chain_estimates,
        ),
    )
