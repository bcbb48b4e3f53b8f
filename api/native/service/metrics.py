"""/metrics: what Prometheus reads. It needs no key, like the probes, and names no tenant, no job and no prompt."""

from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter

from api.http.auth import OPEN
from api.operations.queue_metrics import QueueMetrics


@get("/metrics", opt=OPEN, include_in_schema=False)
async def metrics(
    queue_metrics: NamedDependency[QueueMetrics], accept: Annotated[str, HeaderParameter(name="Accept")] = ""
) -> Response[bytes]:
    """This process's counters, and the queue_metrics of the whole service."""
    content, media_type = await queue_metrics.exposition(accept)
    return Response(content, media_type=media_type)
