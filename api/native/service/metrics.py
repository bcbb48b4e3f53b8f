"""/metrics, for Prometheus. It requires no key, like the probes, and names no tenant, no job and no prompt."""

from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter

from api.http.auth import PUBLIC
from api.operations.queue_metrics import QueueMetrics


@get("/metrics", opt=PUBLIC, include_in_schema=False)
async def metrics(
    queue_metrics: NamedDependency[QueueMetrics], accept: Annotated[str, HeaderParameter(name="Accept")] = ""
) -> Response[bytes]:
    """Return the counters of this process, and the gauges of the whole service."""
    content, media_type = await queue_metrics.exposition(accept)
    # As a header: Litestar adds a charset to each `media_type` that is text, and this one has it.
    return Response(content, headers={"Content-Type": media_type})
