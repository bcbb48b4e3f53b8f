"""What VideoGen has and this service does not: workflows, projects, the assistant, text."""

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler, route

from core.errors.http import NotOffered

UNBUILT = {
    "workflows": "Workflows are not offered by this service; run its tools one after the other.",
    "projects": "Projects and their editor are not offered by this service.",
    "assistant": "The assistant is not offered by this service.",
    "text": "No model in the catalog of this service writes text; its operator can add one.",
}
"""The first segments of its paths, and what a caller is answered."""
METHODS = [HttpMethod.GET, HttpMethod.POST, HttpMethod.DELETE, HttpMethod.PATCH, HttpMethod.PUT]


def unbuilt_routes() -> list[HTTPRouteHandler]:
    """Return a route for every path below each of them."""
    return [_refusal(name, sentence) for name, sentence in UNBUILT.items()]


def _refusal(name: str, sentence: str) -> HTTPRouteHandler:
    @route([f"/{name}", f"/{name}/{{rest:path}}"], http_method=METHODS, name=None)
    async def refuse() -> None:
        raise NotOffered(sentence)

    return refuse
