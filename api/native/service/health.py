"""Probes: /health/live for a process that answers, /health/ready for one that accepts jobs."""

from litestar import Controller, get
from litestar.di import NamedDependency

from api.http.auth import NO_SECURITY, PUBLIC
from api.openapi.documents import error_responses
from api.operations.readiness import Readiness
from core.errors.unavailable import DatabaseUnavailable, SchemaBehind
from jobs.wire.health import LivenessAnswer, ReadinessAnswer


class HealthRoutes(Controller):
    """Routes for load balancers and Kubernetes."""

    path = "/health"
    tags = ("Service",)
    opt = PUBLIC
    security = NO_SECURITY

    @get("/live", summary="Does the process answer?")
    async def live(self) -> LivenessAnswer:
        """Answer 200, always."""
        return LivenessAnswer()

    @get(
        "/ready",
        responses=error_responses(DatabaseUnavailable, SchemaBehind, key=False),
        summary="Does the service accept jobs?",
    )
    async def ready(self, readiness: NamedDependency[Readiness]) -> ReadinessAnswer:
        """Answer 200 while the database is reachable and its schema current, also without the broker (`degraded`)."""
        return await readiness.check()
