"""Probes: /health/live says that the process answers, /health/ready that it can take jobs."""

from litestar import Controller, get
from litestar.di import NamedDependency

from api.http.auth import ANYBODY, OPEN
from api.openapi.documents import error_responses
from api.operations.readiness import Readiness
from core.errors import DatabaseUnavailable, SchemaBehind
from jobs.wire.health import LivenessAnswer, ReadinessAnswer


class HealthRoutes(Controller):
    """For load balancers and Kubernetes."""

    path = "/health"
    tags = ("Service",)
    opt = OPEN
    security = ANYBODY

    @get("/live", summary="Does the process answer?")
    async def live(self) -> LivenessAnswer:
        """Always 200."""
        return LivenessAnswer()

    @get("/ready", responses=error_responses(DatabaseUnavailable, SchemaBehind, key=False), summary="Can it take jobs?")
    async def ready(self, readiness: NamedDependency[Readiness]) -> ReadinessAnswer:
        """200 while the database is reachable and its schema fits, also when the broker is away (`degraded`)."""
        return await readiness.check()
