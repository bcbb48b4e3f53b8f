"""The router of routes about the service: health, metrics, models and problem types."""

from api.http.dependencies import Router, provide
from api.native.service.health import HealthRoutes
from api.native.service.home import HomeRoutes
from api.native.service.metrics import metrics
from api.native.service.models import ModelRoutes
from api.native.service.pages import PageRoutes, Pages
from api.native.service.problems import ProblemRoutes
from api.operations.queue_metrics import QueueMetrics
from api.operations.readiness import Readiness


def service_router(readiness: Readiness, queue_metrics: QueueMetrics) -> Router:
    """Return the router."""
    return Router(
        "/",
        route_handlers=[HomeRoutes, PageRoutes, ModelRoutes, HealthRoutes, metrics, ProblemRoutes],
        dependencies=provide(readiness=readiness, queue_metrics=queue_metrics, pages=Pages()),
    )
