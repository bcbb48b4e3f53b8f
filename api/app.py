"""The application: its routers, and what they share.

`api.serve` runs it. Another server can too: `uvicorn --timeout-graceful-shutdown 5 api.app:app`, where the timeout
ends open event streams, which `api.serve` does by itself; the bounds of `api.server` are then its own task. Run one
process per address: Prometheus reads the counters of the process that answers.
"""

from importlib.metadata import version
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.middleware import DefineMiddleware

from api.account.keys import KeyOperations
from api.account.usage import UsageReports
from api.console.routes import console_router
from api.front.cross_origin import allowed_origins
from api.front.front import put_in_front
from api.http.auth import KeyAuthentication
from api.http.body_budget import BodyBudget, hold_bodies
from api.http.plain_calls import call_plainly
from api.http.problems import exception_handlers, render_by_path
from api.http.query_parameters import check_query
from api.http.strict_json import StrictRequest
from api.native.account.routes import account_router
from api.native.chains.routes import chains_router
from api.native.generate.routes import generate_router
from api.native.jobs.routes import jobs_router
from api.native.media.routes import media_router
from api.native.profiles.routes import profiles_router
from api.native.servers.routes import servers_router
from api.native.service.routes import service_router
from api.native.webhooks.routes import webhooks_router
from api.openapi.dialects import DialectDocuments, document_router
from api.openapi.documents import openapi_config
from api.operations.profiles import ProfileOperations
from api.operations.queue_metrics import QueueMetrics
from api.operations.readiness import Readiness
from api.operations.webhooks import WebhookOperations
from api.services import Services
from api.wire_formats import WIRE_FORMATS
from core.settings import Settings, settings
from core.signing import check_secret_key
from jobs.wire.links import public_path


def routers(services: Services) -> list[Router]:
    """Return the routers of the native routes and of the dialects."""
    readiness = Readiness(services.database, services.settings)
    return [
        generate_router(services.submit_endpoint, services.status_builder, services.output_feed, services.settings),
        jobs_router(
            services.job_control,
            services.server_commands,
            services.reproductions,
            services.redrives,
            services.settings,
        ),
        chains_router(
            services.chain_submissions,
            services.chain_operations,
            services.storyboard_submissions,
            services.chain_estimates,
        ),
        media_router(services.voice_operations, services.voice_directory, services.voice_samples, services.settings),
        account_router(
            KeyOperations(services.database, services.settings), UsageReports(services.database, services.settings)
        ),
        profiles_router(ProfileOperations(services.database, services.settings)),
        webhooks_router(WebhookOperations(services.database, services.settings)),
        servers_router(services.server_commands, services.database),
        service_router(readiness, QueueMetrics(services.database, readiness, services.catalog, services.store)),
        *_console(services),
        *(router for wire_format in WIRE_FORMATS for router in wire_format.routers(services)),
    ]


def _console(services: Services) -> list[Router]:
    if not services.settings.console:
        return []
    parts = services.database, services.request_limits, services.store, services.session_cookie, services.settings
    return [console_router(*parts)]


def create_app(app_settings: Settings | None = None) -> Litestar:
    """Return the application for these settings, by default those of the environment.

    Raises `ValueError` for settings that cannot be used: a secret key that is missing or short, a catalog, a URL, an
    origin.
    """
    app_settings = settings() if app_settings is None else app_settings
    check_secret_key(app_settings)
    origins = allowed_origins(app_settings.cors_origins)
    services = Services(app_settings)
    authentication = DefineMiddleware(
        KeyAuthentication,
        database=services.database,
        limits=services.request_limits,
        secret_key=app_settings.secret_key,
        cookie=services.session_cookie,
        note_use=services.key_use.note,
        note_seen=services.session_use.note,
    )
    prefix = public_path(app_settings, "")
    documents = DialectDocuments([one.document for one in WIRE_FORMATS if one.document is not None])
    renderers = {path: wire_format.render for wire_format in WIRE_FORMATS for path in wire_format.prefixes}
    bodies, files = (BodyBudget(most, app_settings) for most in (app_settings.body_budget, app_settings.file_budget))
    app = Litestar(
        route_handlers=[
            *routers(services),
            *(document_router(format_, documents, prefix) for format_ in documents.formats),
        ],
        dependencies=services.dependencies(),
        middleware=[authentication, check_query, hold_bodies(bodies, files), call_plainly],
        exception_handlers=exception_handlers(render_by_path(renderers)),
        request_class=StrictRequest,
        request_max_body_size=app_settings.body_limit,
        openapi_config=openapi_config(version("atelier"), prefix, documents),
        lifespan=[services.lifespan],
        logging_config=None,
        state=State({"event_hub": services.event_hub, "path_prefix": prefix, "dialect_documents": documents}),
    )
    put_in_front(app, origins)
    documents.made_by(app)
    return app


def __getattr__(name: str) -> Any:
    """Return `app`, made when it is first asked for, so that importing this module needs no environment."""
    if name == "app":
        return create_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
