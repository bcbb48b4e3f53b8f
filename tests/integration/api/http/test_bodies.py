"""Bodies: types and encodings that are not read, and large ones within a budget."""

import base64
import gzip
import json
import threading
import zlib

import msgspec
import pytest
from sqlalchemy import select

from jobs.schema.tables import inputs
from jobs.statements.queue.tenant_jobs import by_id
from tests.support.service.api_server import api_server
from tests.support.service.raw_http import connection
from tests.support.wait import until

ROUTE = "/generate/image/v1"
GOOD = {"prompt": "a red circle"}
PADDED = json.dumps(GOOD).encode() + b" " * 200_000
"""A good body that is large enough to count."""


def refusal(answer):
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", bytes), ("zstd", bytes), ("gzip, identity", bytes)],
)
def test_a_compressed_body_is_refused_by_its_encoding(client, server, encoding, compress):
    body = compress(json.dumps(GOOD).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    status, code, detail = refusal(client.post(ROUTE, content=body, headers=headers))
    assert (415, "unsupported_encoding") == (status, code)
    assert f"Content-Encoding {encoding}" in detail


def test_a_compressed_upload_is_refused_too(client):
    made = client.post("/inputs/v1").json()
    answer = client.put(made["upload_url"], content=gzip.compress(b"x"), headers={"Content-Encoding": "gzip"})
    assert (415, "unsupported_encoding") == refusal(answer)[:2]


@pytest.mark.parametrize(
    "type_", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "image/png"]
)
@pytest.mark.parametrize("route", [ROUTE, "/voices/v1", "/webhooks/v1"])
def test_another_type_than_json_is_refused_by_its_name(client, server, route, type_):
    status, code, detail = refusal(client.post(route, content=b"prompt=a", headers={"Content-Type": type_}))
    assert (415, "unsupported_type") == (status, code)
    assert type_.partition(";")[0] in detail
    assert "application/json" in detail


def test_a_charset_other_than_utf_8_is_refused(client, server):
    headers = {"Content-Type": "application/json; charset=iso-8859-1"}
    status, code, detail = refusal(client.post(ROUTE, content=json.dumps(GOOD), headers=headers))
    assert (415, "unsupported_type", True) == (status, code, "iso-8859-1" in detail)


@pytest.mark.parametrize(
    "type_", [None, "application/json; charset=UTF-8", "text/plain", "application/merge-patch+json"]
)
@pytest.mark.parametrize("encoding", [None, "identity"])
def test_json_by_other_names_is_read(client, server, type_, encoding):
    headers = {name: text for name, text in (("Content-Type", type_), ("Content-Encoding", encoding)) if text}
    assert 202 == client.post(ROUTE, content=json.dumps(GOOD).encode(), headers=headers).status_code


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_has_an_idempotency_key_too(client, server, chunked):
    def submit(body):
        parts = iter([body[:100_000], body[100_000:]]) if chunked else body
        return client.post(ROUTE, content=parts, headers={"Idempotency-Key": "large"})

    first, again, other = submit(PADDED), submit(PADDED), submit(PADDED + b" ")
    assert first.json()["job_id"] == again.json()["job_id"]
    assert (422, "idempotency_key_reused") == (other.status_code, other.json()["code"])
    assert (
        first.json()["job_id"]
        == client.post(ROUTE + "/", content=PADDED, headers={"Idempotency-Key": "large"}).json()["job_id"]
    )


@pytest.fixture(scope="module")
def small(settings):
    """An API with room for one body of 200 kB of a tenant, and for two in all."""
    narrow = msgspec.structs.replace(settings, body_budget=450_000, body_wait_seconds=0.2)
    with api_server(narrow) as running:
        yield running


class Slow:
    """A body whose second half is sent once it is released."""

    def __init__(self):
        self.released = threading.Event()

    def __iter__(self):
        yield PADDED[:100_000]
        self.released.wait(30)
        yield PADDED[100_000:]


def post(server, key, body, answers):
    headers = {"Content-Length": str(len(PADDED))}
    with server.client(key) as own:
        answers.append(own.post(ROUTE, content=body, headers=headers))


@pytest.mark.long
def test_a_body_beyond_the_tenants_share_is_refused(small, rows, server, key, stranger, settings):
    body, answers = Slow(), []
    sending = threading.Thread(target=post, args=(small, key, iter(body), answers), daemon=True)
    sending.start()
    with small.client(key) as own, small.client(stranger.headers["X-API-Key"]) as other:
        refused = until(lambda: (answer := own.post(ROUTE, content=PADDED)).status_code != 202 and answer, what="it")
        assert (429, "too_many_bodies") == (refused.status_code, refused.json()["code"])
        assert int(refused.headers["Retry-After"]) > 0
        assert 202 == own.post(ROUTE, json=GOOD).status_code  # a small one
        assert 202 == other.post(ROUTE, content=PADDED).status_code
        body.released.set()
        sending.join(30)
        assert 202 == answers[0].status_code
        assert 202 == own.post(ROUTE, content=PADDED).status_code


@pytest.mark.long
def test_a_body_beyond_the_whole_budget_is_refused(small, rows, server, key, stranger, admin):
    bodies, answers = (Slow(), Slow()), []
    keys = (key, stranger.headers["X-API-Key"])
    sending = [
        threading.Thread(target=post, args=(small, *each, answers), daemon=True)
        for each in zip(keys, map(iter, bodies), strict=True)
    ]
    for each in sending:
        each.start()
    with small.client(admin.headers["X-API-Key"]) as third:
        refused = until(lambda: (answer := third.post(ROUTE, content=PADDED)).status_code != 202 and answer, what="it")
        assert (503, "overloaded") == (refused.status_code, refused.json()["code"])
        assert int(refused.headers["Retry-After"]) > 0
    for body, thread in zip(bodies, sending, strict=True):
        body.released.set()
        thread.join(30)
    assert [202, 202] == [answer.status_code for answer in answers]


def test_a_held_submit_holds_none_of_the_budget(small, rows, server, key):
    answers = []

    def wait():
        with small.client(key) as own:
            answers.append(own.post(ROUTE + "?wait=20", content=PADDED))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    with small.client(key) as own:
        until(lambda: own.get("/jobs/v1").json()["jobs"], what="the held submit")
        job_id = own.get("/jobs/v1").json()["jobs"][0]["job_id"]
        assert 202 == own.post(ROUTE, content=PADDED).status_code
        own.post(f"/jobs/v1/{job_id}/cancel")
    waiting.join(30)
    assert (200, "cancelled") == (answers[0].status_code, answers[0].json()["status"])


def test_a_client_that_leaves_gives_its_budget_back(small, rows, server, key):
    head = f"POST {ROUTE} HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nContent-Length: {len(PADDED)}\r\n\r\n"
    with small.client(key) as own:
        with connection(small.url) as leaving:
            leaving.sendall(head.encode() + PADDED[:100_000])
            until(lambda: own.post(ROUTE, content=PADDED).status_code == 429, what="the budget to be taken")
        until(lambda: own.post(ROUTE, content=PADDED).status_code == 202, what="the budget to be free")


def test_a_large_body_is_spooled_and_its_picture_stored(client, rows, all_models, store, tmp_path):
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 12_000
    body = {"input_image": "data:image/png;base64," + base64.b64encode(picture).decode(), "model": "chaos-video"}
    answer = client.post("/generate/video/v1", json=body)
    assert 202 == answer.status_code, answer.text
    (row,) = rows.execute(select(inputs))
    store.get(row.source_key, tmp_path / "object")
    assert picture == (tmp_path / "object").read_bytes()
    assert "stored:input_image" == rows.execute(by_id(answer.json()["job_id"]))[0].params["input_image"]
