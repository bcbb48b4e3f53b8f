"""What is settled before a route is chosen: one spelling of a path, HEAD, OPTIONS, two Hosts; never a 5xx."""

import json

import pytest

from api.app import create_app
from api.wire_formats import WIRE_FORMATS
from tests.support.service.raw_http import connection, read_answer

UNKNOWN = "job_" + "0" * 32
HEALTH = b"/health/live"
ANY_METHOD = ("PUT", "PATCH", "DELETE", "POST", "GET")
DIALECTS = tuple(prefix for each in WIRE_FORMATS for prefix in each.prefixes)


def request(server, line, headers=b"Host: a\r\n"):
    """The answer to a request line that no client library would send."""
    with connection(server.url) as opened:
        opened.sendall(line + b" HTTP/1.1\r\n" + headers + b"Connection: close\r\n\r\n")
        return read_answer(opened)


@pytest.fixture(scope="module")
def methods(settings):
    """The methods of every route, by its path with values for its parameters."""
    found = {}
    for route in create_app(settings).routes:
        path = route.path.replace("{job_id:str}", UNKNOWN).replace("{key:path}", "tenant/x.png")
        path = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
        found[path] = found.get(path, set()) | set(route.methods)
    assert all(sum(path.startswith(prefix) for path in found) > 0 for prefix in DIALECTS)
    assert sum(not path.startswith(DIALECTS) for path in found) > 30
    return found


@pytest.mark.parametrize("with_key", [False, True])
def test_42_options_names_every_method_of_every_route(api, rows, client, methods, with_key):
    with api.client() as anonymous:
        for path, known in methods.items():
            answer = (client if with_key else anonymous).options(path)
            assert (204, b"") == (answer.status_code, answer.content), path
            allowed = set(answer.headers["Allow"].split(", "))
            assert known | ({"HEAD"} if "GET" in known else set()) == allowed, path


@pytest.mark.long
def test_a_wrong_method_is_answered_with_the_right_ones(client, methods):
    """In the shape of a dialect on its paths; some of those are not offered, whatever the method."""
    for path, known in methods.items():
        wrong = [method for method in ANY_METHOD if method not in known]
        if not wrong:
            assert 501 == client.get(path).status_code, path
            continue
        answer = client.request(wrong[0], path)
        assert (405, True) == (answer.status_code, '"method_not_allowed"' in answer.text), path
        assert path.startswith(DIALECTS) or "method_not_allowed" == answer.json()["code"], path
        assert set(client.options(path).headers["Allow"].split(", ")) == set(answer.headers["Allow"].split(", ")), path


@pytest.mark.long
@pytest.mark.parametrize("with_key", [False, True])
def test_42_head_answers_as_get_wherever_there_is_one(api, rows, server, client, methods, with_key):
    def shape(answer):
        passing = {"date", "x-request-id", "content-length", "transfer-encoding"}
        return answer.status_code, {name: value for name, value in answer.headers.items() if name not in passing}

    with api.client() as anonymous:
        chosen = client if with_key else anonymous
        for path in (path for path, known in methods.items() if "GET" in known):
            head = chosen.head(path)
            assert shape(chosen.get(path)) == shape(head), path
            assert (b"", True) == (head.content, head.status_code < 500 or set(ANY_METHOD) <= methods[path]), path


def test_head_of_a_stream_ends(client, create):
    answer = client.head(f"/jobs/v1/{create()}/events")
    assert (200, "text/event-stream; charset=utf-8") == (answer.status_code, answer.headers["Content-Type"])
    assert 200 == client.get("/health/live").status_code  # on the same connection


def test_head_has_the_length_that_get_has(client):
    assert client.get("/problems").headers["Content-Length"] == client.head("/problems").headers["Content-Length"]


def test_head_counts_as_head(api, client):
    client.head("/problems/not_found")
    counted = 'atelier_http_requests_total{method="HEAD",route="/problems/{code}",status="200"}'
    assert counted in client.get("/metrics").text


@pytest.mark.parametrize("path", [b"", b"/", b"?a=//%2f.."])
def test_a_path_in_its_spelling(running, path):
    assert 200 == request(running, b"GET " + HEALTH + path).status


@pytest.mark.parametrize("path", [b"http://a/health/live", b"/%68ealth/live"])
def test_the_same_path_in_other_words(running, path):
    """An absolute URL, as proxies are sent, and characters that need no escape."""
    assert 200 == request(running, b"GET " + path).status


@pytest.mark.parametrize(
    "path",
    [
        *(b"//health/live", b"/health//live", b"/health/live//", b"/health%2flive", b"/health%2Flive"),
        *(b"/x/..%2fhealth/live", b"/./health/live", b"/x/%2e%2e/health/live", b"/health/live/.", b"*"),
    ],
    ids=str,
)
def test_42_another_spelling_of_a_path_does_not_exist(running, path):
    assert 404 == request(running, b"HEAD " + path).status
    for method in (b"GET", b"OPTIONS", b"POST"):
        answer = request(running, method + b" " + path)
        assert (404, "not_found") == (answer.status, answer.code)
    if path != b"*":
        assert "single slashes" in json.loads(answer.body)["detail"]


@pytest.mark.parametrize("headers", [b"Host: a\r\nHost: a\r\n", b"Host: a\r\nHost: b\r\n"])
def test_42_two_hosts_are_refused(running, headers):
    answer = request(running, b"GET /health/live", headers)
    assert (400, "malformed_request") == (answer.status, answer.code)


@pytest.mark.parametrize("method", [b"TRACE", b"FOO", b"CONNECT", b"PRI"])
def test_methods_that_no_route_has(running, method):
    assert 405 == request(running, method + b" /health/live").status
