"""Query parameters that a route does not have, and the headers of every answer."""

import pytest
from litestar import Router, get

import api.app
from api.http.auth import ANY_KEY
from api.http.query_parameters import IGNORES_QUERY
from jobs.schema.tables import jobs
from tests.support.service.api_server import api_server

IMAGE = "/generate/image/v1"


def refused(answer, field):
    assert (422, "unknown_field", f"query.{field}") == (
        *(answer.status_code, answer.json()["code"], answer.json()["field"]),
    )
    assert "application/problem+json" == answer.headers["Content-Type"].split(";")[0]
    return answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "name", "says"),
    [
        ("POST", IMAGE, "waitt", "did you mean `wait`?"),
        ("POST", IMAGE, "timeout", "did you mean `wait`?"),
        ("POST", IMAGE, "color", "remove it: this route has `cancel_on_disconnect`, `wait`."),
        ("POST", "/inputs/v1", "name", "remove it: this route has none."),
        ("GET", "/jobs/v1", "limits", "did you mean `limit`?"),
        ("GET", "/jobs/v1", "Status", "did you mean `status`?"),
        ("GET", "/jobs/v1", "a" * 5000, "Unknown query parameter"),
        ("GET", f"{IMAGE}/status/job_1", "wait", "this route has none."),
        ("GET", "/models/v1", "modality", "this route has none."),
        ("GET", "/voices/v1", "gender", "this route has `language`, `model`."),
        ("DELETE", "/servers/v1/gpu-1", "forced", "did you mean `force`?"),
    ],
)
def test_an_unknown_parameter_is_refused(admin, server, rows, method, path, name, says):
    answer = admin.request(method, path, params={name: "3"}, json={"prompt": "a"} if path == IMAGE else None)
    assert says in refused(answer, name[:80])
    assert [] == rows.execute(jobs.select())


def test_the_first_unknown_one_is_named_among_known_ones(client, server):
    answer = client.post(f"{IMAGE}?wait=0&waitt=3&other=", json={"prompt": "a"})
    assert "`waitt`" in refused(answer, "waitt")
    assert "``" in refused(client.get("/jobs/v1?=3"), "")


def test_known_parameters_are_taken(client, server):
    assert 202 == client.post(f"{IMAGE}?wait=0", json={"prompt": "a"}).status_code
    assert 200 == client.get("/jobs/v1?limit=5&status=queued&modality=image&model=chaos&cursor=").status_code
    assert 200 == client.get("/voices/v1?model=x&language=de").status_code


@pytest.mark.long
@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready", "/metrics", "/problems", "/schema"])
def test_pages_and_probes_ignore_what_others_add(api, path):
    with api.client() as anybody:
        assert 200 == anybody.get(f"{path}?utm_source=mail&t=1").status_code


def test_a_key_is_asked_for_first(api):
    with api.client() as anybody:
        assert 401 == anybody.get("/jobs/v1?limits=1").status_code


@pytest.mark.long
def test_a_dialect_says_that_it_ignores_them(settings, key, rows, monkeypatch):
    @get("/pictures")
    async def lenient() -> str:
        return "all"

    @get("/paintings")
    async def strict() -> str:
        return "all"

    own = api.app.routers
    dialect = Router("/lenient", route_handlers=[lenient], opt=IGNORES_QUERY | ANY_KEY)
    monkeypatch.setattr(
        api.app,
        "routers",
        lambda services: [*own(services), dialect, Router("/", route_handlers=[strict], opt=ANY_KEY)],
    )
    with api_server(settings) as running, running.client(key) as client:
        assert 200 == client.get("/lenient/pictures?user=1").status_code
        refused(client.get("/paintings?user=1"), "user")


def test_answers_to_a_key_are_stored_nowhere(client, server, create, stranger):
    job_id = create()
    for answer in (
        client.post("/inputs/v1"),
        client.post("/webhooks/v1", json={"url": "https://shop.example/hook"}),
        client.get(f"/jobs/v1/{job_id}"),
        client.get("/jobs/v1?limit=0"),
        stranger.get(f"/jobs/v1/{job_id}"),
    ):
        assert ("no-store", "nosniff") == (
            *(answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]),
        ), answer.url


@pytest.mark.long
def test_what_needs_no_key_may_be_stored(api):
    with api.client() as anybody:
        for path in ("/problems", "/schema/openapi.json", "/schema/scripts/swagger-ui.css", "/nowhere"):
            answer = anybody.get(path)
            assert "no-store" not in answer.headers.get("Cache-Control", "")
            assert "nosniff" == answer.headers["X-Content-Type-Options"]
