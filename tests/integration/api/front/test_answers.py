"""Every kind of answer has its request id and its headers, and is counted once, whatever has read it."""

import re
from itertools import chain

import httpx
import pytest

from core.metrics import API
from tests.support.service.raw_http import connection, read_answer

SUBMIT = "/generate/image/v1"
BODY = {"prompt": "a red circle"}
UNREAD = "PUT /files/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"


def counted():
    """How many answers were counted, in all."""
    samples = [sample for metric in API.collect() for sample in metric.samples]
    return sum(sample.value for sample in samples if sample.name == "atelier_http_requests_total")


def with_a_key(client, job_id):
    """Answers to a caller, by the status that is expected."""
    yield 200, client.get(f"{SUBMIT}/status/{job_id}")
    yield 200, client.get(f"/jobs/v1/{job_id}")
    yield 200, client.get("/jobs/v1?limit=1")
    yield 202, client.post(SUBMIT, json=BODY)
    yield 202, client.post(f"{SUBMIT}?wait=0.01", json=BODY)
    yield 202, client.post(SUBMIT, json=BODY, headers={"Idempotency-Key": "one"})
    yield 200, client.head(f"{SUBMIT}/status/{job_id}")
    yield 400, client.post(SUBMIT, content=b"{")
    yield 400, client.post(SUBMIT)
    yield 422, client.post(SUBMIT, json={"prompt": 5})
    yield 422, client.get(f"{SUBMIT}/status/{job_id}?verbose=1")
    yield 404, client.get(f"{SUBMIT}/status/job_{'0' * 32}")
    yield 404, client.get(f"/generate/video/v1/status/{job_id}")
    yield 403, client.post("/servers/v1/none/drain")
    yield 404, client.post(f"/jobs/v1/job_{'0' * 32}/cancel")
    yield 204, client.delete(f"/jobs/v1/{job_id}")


def without_a_key(anybody):
    yield 200, anybody.get("/health/live")
    yield 200, anybody.get("/")
    yield 200, anybody.get("/schema/openapi.json")
    yield 307, anybody.get("/docs")
    yield 401, anybody.post(SUBMIT, json=BODY)
    yield 401, anybody.get(f"{SUBMIT}/status/job_{'0' * 32}", headers={"X-API-Key": "atl_wrong"})
    yield 404, anybody.get("/nowhere")
    yield 404, anybody.get("/health//live")
    yield 405, anybody.put(SUBMIT)
    yield 204, anybody.options(SUBMIT)


@pytest.mark.parametrize("kept", [True, False], ids=["plain", "h11"])
def test_every_answer_is_complete_and_counted_once(api, client, create, kept):
    """`Connection: close` has h11 read the request."""
    own = {} if kept else {"Connection": "close"}
    job_id = create()
    with api.client() as anybody:
        for asking in (client, anybody):
            asking.headers.update(own)
        before = counted()
        for expected, answer in chain(with_a_key(client, job_id), without_a_key(anybody)):
            asked, headers = f"{answer.request.method} {answer.request.url}", answer.headers
            assert (asked, expected, before + 1) == (asked, answer.status_code, counted())
            before += 1
            assert len(headers.multi_items()) == len(headers), asked
            assert re.fullmatch(r"req_[0-9a-f]{32}", headers["X-Request-Id"]), asked
            assert "nosniff" == headers["X-Content-Type-Options"], asked
            if "X-API-Key" in answer.request.headers and expected != 401:
                assert "no-store" == headers["Cache-Control"], asked


def test_a_stream_is_complete_and_counted_once(client, create):
    job_id, before = create(), counted()
    with client.stream("GET", f"/jobs/v1/{job_id}/events", headers={"X-Request-Id": "mine"}) as answer:
        next(answer.iter_lines())
        assert ("mine", "nosniff") == (answer.headers["X-Request-Id"], answer.headers["X-Content-Type-Options"])
        assert ("no-cache", "chunked") == (answer.headers["Cache-Control"], answer.headers["Transfer-Encoding"])
    assert 1.0 == counted() - before


@pytest.mark.parametrize("more", ["", "Expect: x\r\n"], ids=["plain", "h11"])
def test_an_answer_before_the_body_is_complete(api, rows, more):
    before = counted()
    with connection(api.url) as opened:
        opened.sendall(f"{UNREAD}X-Request-Id: mine\r\n{more}\r\n".encode())
        answer = read_answer(opened)
    assert (403, "mine", "nosniff") == (
        answer.status,
        answer.headers["x-request-id"],
        answer.headers["x-content-type-options"],
    )
    assert 1.0 == counted() - before


def test_a_plain_call_answers_as_litestar_does(client, create):
    """A query or a header that the function takes has Litestar call it."""
    plain, through = client.post(SUBMIT, json=BODY), client.post(f"{SUBMIT}?wait=0", json=BODY)
    assert plain.json().keys() == through.json().keys()
    assert described(plain) == described(through)
    job_id = create()
    plain, through = client.get(f"{SUBMIT}/status/{job_id}"), client.get(f"/jobs/v1/{job_id}")
    assert plain.json() == through.json()
    assert described(plain) == described(through)


def described(answer: httpx.Response) -> tuple[int, dict[str, str]]:
    """The status, and the headers that are not this answer's own."""
    own = ("date", "x-request-id", "location", "content-length")
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in own}
