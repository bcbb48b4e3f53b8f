"""The application: what it is made of, how it starts and stops.

`api.serve` runs it. Another server can too: `uvicorn --timeout-graceful-shutdown 5 api.app:app`, where the time-out
ends open event streams, which `api.serve` does by itself. Run one process per address: Prometheus reads the counters of
the process that answers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware

from api.follow.event_hub import EventHub
from api.follow.notifier import Notifier
from api.follow.status import StatusBuilder
from api.follow.watcher import JobWatcher
from api.http.auth import Caller, KeyAuthentication
from api.http.database import Database
from api.http.problems import EXCEPTION_HANDLERS
from api.http.request_ids import echo_request_id
from api.http.request_metrics import count_answer, observing
from api.http.strict_json import StrictRequest
from api.native.generate.cutout import CutoutRoutes
from api.native.generate.image import ImageRoutes
from api.native.generate.mesh import MeshRoutes
from api.native.generate.speech import SpeechRoutes
from api.native.generate.video import VideoRoutes
from api.native.jobs.files import FileRoutes
from api.native.jobs.jobs import JobRoutes
from api.native.jobs.outputs import OutputRoutes
from api.native.media.inputs import InputRoutes
from api.native.media.voices import VoiceRoutes
from api.native.servers.admin import ServerAdminRoutes
from api.native.servers.servers import ServerRoutes
from api.native.service.health import HealthRoutes
from api.native.service.metrics import metrics
from api.native.service.models import ModelRoutes
from api.native.service.problems import ProblemRoutes
from api.native.webhooks.deliveries import DeliveryRoutes
from api.native.webhooks.endpoints import WebhookRoutes
from api.openapi.documents import openapi_config
from api.openapi.fixes import correct
from api.operations.queue_metrics import QueueMetrics
from api.operations.readiness import Readiness
from api.operations.server_commands import ServerCommands
from api.operations.voices import VoiceOperations
from api.operations.webhooks import WebhookOperations
from api.submit.endpoint import SubmitEndpoint
from api.submit.media_intake import MediaIntake
from api.submit.service import Submissions
from core.settings import Settings
from core.settings import settings as read_settings
from core.storage.store import open_store
from core.tracing import Tracer
from pipelines.catalog.loader import load_catalog

MEDIA_ROUTES = (ImageRoutes, VideoRoutes, CutoutRoutes, SpeechRoutes, MeshRoutes, VoiceRoutes)
"""Those whose bodies may hold media as `data:` URLs."""

ROUTES = (
    InputRoutes,
    JobRoutes,
    WebhookRoutes,
    DeliveryRoutes,
    ModelRoutes,
    ServerRoutes,
    ServerAdminRoutes,
    OutputRoutes,
    FileRoutes,
    HealthRoutes,
    metrics,
    ProblemRoutes,
)


def create_app(settings: Settings | None = None) -> Litestar:
    """The application for these settings, the environment's by default.

    It starts without the database and without Redis. Raises `ValueError` without a secret key, and for a catalog
    or a storage URL that can not be used.
    """
    settings = read_settings() if settings is None else settings
    if not settings.secret_key:
        raise ValueError("ATELIER_SECRET_KEY is not set: keys and download links are signed with it.")
    database, catalog, follower = Database(settings), load_catalog(settings.catalog or None), EventHub(settings)
    tracer, readiness = Tracer(settings, "atelier-api"), Readiness(database, settings)
    announcer, orders = Notifier(settings, tracer), ServerCommands(settings)
    outlooks = StatusBuilder(database, catalog, settings)
    watcher = JobWatcher(database, follower, outlooks, settings)
    store = open_store(settings)
    intake = MediaIntake(store, settings)
    desk = SubmitEndpoint(Submissions(database, catalog, announcer, intake, settings), watcher, settings, tracer)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        announcer.start()
        follower.start()
        try:
            yield
        finally:
            await follower.stop()
            announcer.stop()
            orders.close()
            intake.close()
            await database.close()
            await asyncio.to_thread(tracer.close)

    app = Litestar(
        route_handlers=[
            Router("/", route_handlers=MEDIA_ROUTES, request_max_body_size=settings.media_body_limit),
            *ROUTES,
        ],
        dependencies={
            "announcer": _always(announcer),
            "caller": Provide(_caller, sync_to_thread=False),
            "catalog": _always(catalog),
            "database": _always(database),
            "desk": _always(desk),
            "gauges": _always(QueueMetrics(database, readiness, catalog)),
            "orders": _always(orders),
            "outlooks": _always(outlooks),
            "readiness": _always(readiness),
            "settings": _always(settings),
            "store": _always(store),
            "voices": _always(VoiceOperations(database, intake, settings)),
            "watcher": _always(watcher),
            "webhooks": _always(WebhookOperations(database, settings)),
        },
        middleware=[observing, DefineMiddleware(KeyAuthentication, database=database, secret_key=settings.secret_key)],
        exception_handlers=EXCEPTION_HANDLERS,
        before_send=[echo_request_id, count_answer],
        request_class=StrictRequest,
        request_max_body_size=settings.body_limit,
        openapi_config=openapi_config(version("atelier")),
        lifespan=[lifespan],
        logging_config=None,
        state=State({"follower": follower}),
    )
    correct(app.openapi_schema)
    return app


def _always(value: Any) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


def _caller(request: StrictRequest) -> Caller:
    return request.user


def __getattr__(name: str) -> Any:
    """`app`, made when it is first asked for, so that importing this module needs no environment."""
    if name == "app":
        return create_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
