"""Pages in browsers: which origins may call the API, and what they may read of its answers."""

import msgspec
import pytest

from tests.support.service.api_server import api_server

STUDIO, STRANGER = "https://studio.example", "https://evil.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "x-api-key,content-type,idempotency-key",
}


def sharing(answer):
    """The headers of CORS in an answer."""
    return {name for name in answer.headers if name.startswith("access-control-")}


@pytest.fixture(scope="module")
def shared(settings):
    """An API that two origins may use."""
    with api_server(msgspec.structs.replace(settings, cors_origins=f"{STUDIO}, http://localhost:3000")) as server:
        yield server


@pytest.fixture(scope="module")
def open_to_all(settings):
    with api_server(msgspec.structs.replace(settings, cors_origins="*")) as server:
        yield server


def test_a_preflight_is_answered_without_a_key(shared):
    with shared.client() as page:
        answer = page.options("/generate/image/v1", headers=PREFLIGHT | {"Origin": STUDIO})
        assert (204, STUDIO) == (answer.status_code, answer.headers["Access-Control-Allow-Origin"])
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"x-api-key", "authorization", "content-type", "idempotency-key", "last-event-id"} <= set(allowed)
        assert "POST" in answer.headers["Access-Control-Allow-Methods"].split(", ")
        assert int(answer.headers["Access-Control-Max-Age"]) > 0


def test_answers_and_errors_can_be_read_by_allowed_origins(shared, rows, key):
    with shared.client(key) as page, shared.client() as without_key:
        for answer in (
            page.get("/models/v1", headers={"Origin": STUDIO}),
            without_key.get("/models/v1", headers={"Origin": STUDIO}),
            page.get("/nowhere", headers={"Origin": STUDIO}),
            page.get("//models/v1", headers={"Origin": STUDIO}),
            page.get("/files/x.png", headers={"Origin": STUDIO}),
            page.post("/generate/image/v1", json={}, headers={"Origin": "HTTP://LOCALHOST:3000"}),
        ):
            assert answer.headers["Access-Control-Allow-Origin"] in (STUDIO, "http://localhost:3000")
            assert {"Location", "Retry-After", "X-Request-Id"} <= set(
                answer.headers["Access-Control-Expose-Headers"].split(", ")
            )
            assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin", [STRANGER, "null", "https://studio.example.evil.example", "https://studio.example:1"]
)
def test_other_origins_are_not_named(shared, rows, key, origin):
    with shared.client(key) as page:
        for answer in (
            page.get("/models/v1", headers={"Origin": origin}),
            page.options("/models/v1", headers=PREFLIGHT | {"Origin": origin}),
        ):
            assert (set(), "Origin") == (sharing(answer), answer.headers["Vary"])


def test_a_cache_keeps_copies_by_origin(shared):
    """Also of what was loaded without an Origin, by an <img>, and is then wanted by a script."""
    with shared.client() as image:
        assert "Origin" in image.get("/problems").headers["Vary"]


def test_any_origin_may_call_but_never_with_credentials(open_to_all, rows, key):
    with open_to_all.client(key) as page:
        for answer in (
            page.get("/models/v1", headers={"Origin": STRANGER, "Cookie": "a=b"}),
            page.options("/models/v1", headers=PREFLIGHT | {"Origin": STRANGER}),
            page.get("/models/v1"),
        ):
            assert "*" == answer.headers["Access-Control-Allow-Origin"]
            assert "access-control-allow-credentials" not in sharing(answer)


@pytest.mark.long
def test_none_may_where_the_operator_names_none(api, client):
    for answer in (
        client.get("/models/v1", headers={"Origin": STUDIO}),
        client.options("/models/v1", headers=PREFLIGHT | {"Origin": STUDIO}),
    ):
        assert set() == sharing(answer)
