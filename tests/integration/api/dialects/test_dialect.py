"""A dialect: a wire format of its own on the shared submit service, added with one router."""

import re
from typing import Any

import msgspec
import pytest
from litestar import Controller, Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy import select

import api.app
from api.follow.job_lookup import find_job
from api.http.auth import Caller, needs
from api.http.database import Database
from api.http.problems import error_headers
from api.http.strict_json import StrictRequest
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint
from api.wire_formats import WireFormat
from core.errors.base import AtelierError
from jobs.job import Job, JobStatus
from jobs.params.image import ImageParams
from jobs.params.requests.origin import Origin
from jobs.schema.tables import jobs
from tests.support.paths import CATALOG
from tests.support.service.api_server import api_server

STATES = {JobStatus.QUEUED: "waiting", JobStatus.COMPLETED: "done"}
FIELDS = {"$.prompt": "words", "$.model": "painter", "$.width": "sides"}


class Painting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of the dialect's submit route."""

    words: str
    painter: str
    sides: tuple[int, int] = (512, 512)


class PaintingAnswer(msgspec.Struct, frozen=True):
    """The dialect's view of a job."""

    painting: str
    state: str


def to_params(painting: Painting) -> ImageParams:
    width, height = painting.sides
    return ImageParams(prompt=painting.words, model=painting.painter, width=width, height=height)


def to_answer(job: Job) -> PaintingAnswer:
    return PaintingAnswer(job.id.replace("job_", "painting-"), STATES.get(job.status, "other"))


def render_error(request: Request[Any, Any, Any], error: AtelierError, headers: Any) -> Response[Any]:
    field = FIELDS.get(error.field or "", error.field)
    body = {"oops": error.detail, "why": error.code, "where": field}
    return Response(body, status_code=400, headers={**error_headers(error), **headers})


class PaintingRoutes(Controller):
    """The dialect's routes."""

    path = "/paintings"
    opt = needs("jobs")

    @post(status_code=201)
    async def create(
        self,
        request: StrictRequest,
        data: JSONBody[Painting],
        submit_endpoint: NamedDependency[SubmitEndpoint],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[PaintingAnswer]:
        """Paint."""
        submitted = await submit_endpoint.submit(
            request, to_params(data), idempotency_key=idempotency_key, origin=Origin(dialect="gallery")
        )
        return Response(to_answer(submitted.job), status_code=200 if submitted.repeated else 201)

    @get("/{painting:str}")
    async def show(
        self, painting: FromPath[str], caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> PaintingAnswer:
        """Look."""
        return to_answer(await find_job(database, caller, painting.replace("painting-", "job_")))


def gallery_router() -> Router:
    return Router("/gallery", route_handlers=[PaintingRoutes])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """The catalog of the tests, with a name that only the dialect knows."""
    file = tmp_path_factory.mktemp("catalog") / "models.toml"
    file.write_text(CATALOG.read_text().replace('"chaos-two"', '"chaos-two"\naliases = { gallery = ["rembrandt"] }', 1))
    return file


@pytest.fixture(scope="module")
def running(settings, catalog):
    gallery = WireFormat(prefixes=("/gallery",), render=render_error, routers=lambda _: [gallery_router()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.app, "WIRE_FORMATS", (*api.app.WIRE_FORMATS, gallery))
        with api_server(msgspec.structs.replace(settings, catalog=str(catalog))) as server:
            yield server


def paint(client, key=None, **fields):
    headers = {"Idempotency-Key": key} if key else {}
    body = {"words": "a red circle", "painter": "rembrandt"} | fields
    return client.post("/gallery/paintings", json=body, headers=headers)


def test_a_dialect_submits_and_shows_in_its_own_shape(client, server, worker):
    answer = paint(client, painter="chaos", sides=[640, 512])
    assert 201 == answer.status_code
    assert {"painting", "state"} == set(answer.json())
    name = answer.json()["painting"]
    assert re.fullmatch("painting-[0-9a-f]{32}", name)
    assert {"painting": name, "state": "waiting"} == client.get(f"/gallery/paintings/{name}").json()
    worker.complete(worker.claim())
    assert "done" == client.get(f"/gallery/paintings/{name}").json()["state"]


def test_a_dialect_has_its_own_model_names(client, rows):
    rows.server("gpu-1", serves=["chaos", "chaos-two"])
    painting = paint(client).json()["painting"]
    assert "chaos-two" == client.get(f"/jobs/v1/{painting.replace('painting-', 'job_')}").json()["model"]
    native = client.post("/generate/image/v1", json={"prompt": "a red circle", "model": "rembrandt"})
    assert "unknown_model" == native.json()["code"]


def test_a_dialect_answers_a_repeat_as_it_likes(client, server):
    first, second = paint(client, key="k-1"), paint(client, key="k-1")
    assert (201, 200) == (first.status_code, second.status_code)
    assert first.json() == second.json()


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"words": 3}, "wrong_type", "$.words"),
        ({"frame": "gold"}, "unknown_field", "$.frame"),
        ({"painter": "vermeer"}, "unknown_model", "painter"),
    ],
)
def test_a_dialect_renders_errors_in_its_own_shape(client, server, fields, code, field):
    answer = paint(client, **fields)
    assert (400, {"oops", "why", "where"}) == (answer.status_code, set(answer.json()))
    assert (code, field) == (answer.json()["why"], answer.json()["where"])


def test_a_dialect_renders_the_errors_of_the_framework(api, client, server):
    with api.client() as anonymous:
        refused = paint(anonymous)
    assert ("unauthenticated", "Bearer") == (refused.json()["why"], refused.headers["WWW-Authenticate"])
    assert "unknown_job" == client.get(f"/gallery/paintings/painting-{'0' * 32}").json()["why"]


def test_a_dialect_renders_what_has_no_route(client):
    unknown = client.get("/gallery/sculptures")
    assert (400, "not_found") == (unknown.status_code, unknown.json()["why"])
    wrong = client.delete("/gallery/paintings")
    assert ("method_not_allowed", "OPTIONS, POST") == (wrong.json()["why"], wrong.headers["Allow"])
    assert "/problems/not_found" == client.get("/galleryx").json()["type"]


def test_a_job_remembers_the_dialect_of_its_submit(client, server, engine):
    painted, native = paint(client).json()["painting"], client.post("/generate/image/v1", json={"prompt": "a circle"})
    ids = painted.replace("painting-", "job_"), native.json()["job_id"]
    with engine.connect() as connection:
        found = [connection.execute(select(jobs.c.origin).where(jobs.c.id == one)).scalar_one() for one in ids]
    assert [{"dialect": "gallery"}, {}] == found


def test_native_routes_keep_the_problem_shape(client):
    assert "/problems/malformed_id" == client.get("/jobs/v1/nothing").json()["type"]
