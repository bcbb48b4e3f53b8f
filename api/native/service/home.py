"""/ and the paths that people try first: a page for browsers, JSON for programs, the way to the documentation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from html import escape
from importlib.metadata import version
from typing import Annotated

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter
from litestar.response import Redirect

from api.http.auth import PUBLIC
from api.http.database import Database
from api.native.service.home_page import PAGE, PAGE_HEADERS, STYLE
from api.operations.readiness import Readiness
from core.errors.unavailable import Unavailable
from core.settings import Settings
from jobs.params.registry import MODALITIES
from jobs.statements.queue.submit import served_models
from jobs.wire.home import ServedModel, ServiceAnswer, State
from jobs.wire.links import public_path
from pipelines.catalog.loader import Catalog

DOCUMENTATION, DOCUMENT = "/schema", "/schema/openapi.json"
SENTENCES: Mapping[State, str] = {
    "ok": "Ready: jobs are accepted.",
    "degraded": "Ready, but without the broker: jobs run, and their events are late.",
    "unavailable": "Not ready.",
}
NOTHING_SERVED = "Nothing at present: no GPU worker is running. Jobs wait until one is."


class HomeRoutes(Controller):
    """The page at the root, and redirects to the OpenAPI page from where other services have theirs."""

    opt = PUBLIC
    include_in_schema = False

    @get("/")
    async def home(
        self,
        readiness: NamedDependency[Readiness],
        database: NamedDependency[Database],
        catalog: NamedDependency[Catalog],
        settings: NamedDependency[Settings],
        accept: Annotated[str, HeaderParameter(name="Accept")] = "",
    ) -> Response[str] | Response[ServiceAnswer]:
        """Return the state of the service, what is served and where the documentation is; always 200."""
        answer = await _service(readiness, database, catalog, settings)
        if "text/html" in accept.lower():
            return Response(_page(answer, settings), media_type="text/html", headers=PAGE_HEADERS)
        return Response(answer, headers={"Vary": "Accept", "Cache-Control": "no-store"})

    @get(["/docs", "/redoc", "/swagger", "/api-docs"], status_code=307)
    async def documentation(self, settings: NamedDependency[Settings]) -> Redirect:
        """Redirect to the OpenAPI page."""
        return Redirect(public_path(settings, DOCUMENTATION), status_code=307)

    @get(["/openapi.json", "/swagger.json"], status_code=307)
    async def document(self, settings: NamedDependency[Settings]) -> Redirect:
        """Redirect to the OpenAPI document."""
        return Redirect(public_path(settings, DOCUMENT), status_code=307)


async def _service(readiness: Readiness, database: Database, catalog: Catalog, settings: Settings) -> ServiceAnswer:
    status: State
    problem, served = None, set[str]()
    try:
        status = (await readiness.check()).status
        served = {row[0] for row in await database.rows(served_models())}
    except Unavailable as error:
        status, problem = "unavailable", error.detail
    return ServiceAnswer(
        version=version("atelier"),
        status=status,
        problem=problem,
        models=[ServedModel(spec.id, spec.title, spec.modality) for spec in catalog.models if spec.id in served],
        documentation=public_path(settings, DOCUMENTATION),
        openapi=public_path(settings, DOCUMENT),
        readiness=public_path(settings, "/health/ready"),
    )


def _page(answer: ServiceAnswer, settings: Settings) -> str:
    """Return the page; every text that is put into it is escaped."""
    console = {"The console: make, see and operate in the browser": public_path(settings, "/console")}
    links = (console if settings.console else {}) | {
        "API reference, to read and to try": answer.documentation,
        "OpenAPI document, for generators of clients": answer.openapi,
        "Guides and every route, as text for agents": public_path(settings, "/llms.txt"),
        "Error codes and what to do about each": public_path(settings, "/problems"),
        "Readiness, as JSON": answer.readiness,
        "Metrics, for Prometheus": public_path(settings, "/metrics"),
    }
    return PAGE.format(
        style=STYLE,
        version=escape(answer.version),
        state=escape(answer.status),
        sentence=escape(f"{SENTENCES[answer.status]} {answer.problem or ''}".strip()),
        served=_served(answer.models),
        links="".join(f'<li><a href="{escape(path)}">{escape(text)}</a></li>' for text, path in links.items()),
    )


def _served(models: Iterable[ServedModel]) -> str:
    """Return the rows of the table of models, one for each modality that is served."""
    titles = defaultdict[str, list[str]](list)
    for model in models:
        titles[model.modality].append(f"{escape(model.title)} <code>{escape(model.id)}</code>")
    rows = [
        f"<tr><th scope=row><code>POST {modality.path}</code></th><td>{', '.join(titles[modality.name])}</td></tr>"
        for modality in MODALITIES
        if modality.name in titles
    ]
    return f"<table>{''.join(rows)}</table>" if rows else f"<p>{escape(NOTHING_SERVED)}</p>"
