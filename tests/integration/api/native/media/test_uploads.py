"""POST /inputs/v1 and the PUT that follows: whole files of a bounded size, by links that cannot be changed."""

import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import msgspec
import pytest

from jobs.schema.tables import uploads
from tests.support.service.api_server import api_server
from tests.support.wait import until


@pytest.fixture
def anybody(api):
    with api.client() as client:
        yield client


@pytest.fixture
def made(client, store):
    answer = client.post("/inputs/v1")
    assert 201 == answer.status_code
    return answer.json()


def key_of(tenant, made):
    return f"{tenant}/inputs/{made['input_id']}"


def content_of(store, tenant, made, tmp_path):
    store.get(key_of(tenant, made), tmp_path / "object")
    return (tmp_path / "object").read_bytes()


def test_an_input_is_made_and_then_sent(anybody, made, rows, tenant, store, tmp_path):
    assert ("PUT", {}, 20_000_000) == (made["method"], made["headers"], made["max_bytes"])
    ends = datetime.fromisoformat(made["expires_at"])
    assert timedelta(minutes=50) < ends - datetime.now(UTC) < timedelta(minutes=70)
    (row,) = rows.execute(uploads.select())
    assert (made["input_id"], tenant, key_of(tenant, made)) == (row.id, row.tenant, row.key)
    assert [] == list(store.keys())
    content = bytes(range(256)) * 4000
    answer = anybody.put(made["upload_url"], content=content)
    assert (204, b"") == (answer.status_code, answer.content)
    assert content == content_of(store, tenant, made, tmp_path)


@pytest.mark.matrix
@pytest.mark.parametrize("limits", [{"max_uploads": 2}, {"max_upload_bytes": 50_000_000}], ids=["number", "bytes"])
def test_a_tenant_has_so_many_uploads_at_once(settings, key, rows, store, limits):
    with api_server(msgspec.structs.replace(settings, **limits)) as server, server.client(key) as client:
        assert [201, 201] == [client.post("/inputs/v1").status_code for _ in range(2)]
        refused = client.post("/inputs/v1")
    assert (429, "too_many_uploads") == (refused.status_code, refused.json()["code"])
    assert "application/problem+json" == refused.headers["Content-Type"].split(";")[0]
    assert int(refused.headers["Retry-After"]) > 0
    assert 2 == len(rows.execute(uploads.select()))


def test_a_second_file_replaces_the_first_whole(anybody, made, store, tenant, tmp_path):
    for content in (b"first, and longer", b"second"):
        assert 204 == anybody.put(made["upload_url"], content=content).status_code
        assert content == content_of(store, tenant, made, tmp_path)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_at_the_limit_is_taken_and_one_above_it_is_not(anybody, made, store, tenant, chunked):
    def body(size):
        return iter([bytes(size // 2), bytes(size - size // 2)]) if chunked else bytes(size)

    assert 204 == anybody.put(made["upload_url"], content=body(20_000_000)).status_code
    assert 20_000_000 == store.size(key_of(tenant, made))
    answer = anybody.put(made["upload_url"], content=body(20_000_001))
    assert (413, "body_too_large", "Send at most 20000000 bytes.") == (
        *(answer.status_code, answer.json()["code"], answer.json()["detail"]),
    )
    assert 20_000_000 == store.size(key_of(tenant, made))


def test_of_a_file_that_is_too_large_nothing_is_kept(anybody, made, store):
    answer = anybody.put(made["upload_url"], content=iter([bytes(15_000_000)] * 2))
    assert 413 == answer.status_code
    assert [] == list(store.keys())


def test_half_a_file_is_none(api, made, store, anybody, tenant, tmp_path, caplog):
    """The connection breaks in the middle; the earlier file stays, and no error is logged."""
    caplog.set_level("INFO", "api.http.problems")
    anybody.put(made["upload_url"], content=b"whole")
    parts = urlsplit(made["upload_url"])
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 100000\r\n\r\n"
        connection.sendall(head.encode() + bytes(50_000))
    until(lambda: "client disconnected during the body" in caplog.text, what="the API to notice")
    assert "ERROR" not in caplog.text
    assert b"whole" == content_of(store, tenant, made, tmp_path)
    assert 204 == anybody.put(made["upload_url"], content=b"whole again").status_code
    assert b"whole again" == content_of(store, tenant, made, tmp_path)
    assert [key_of(tenant, made)] == list(store.keys())


def changed(url, **query):
    parts = urlsplit(url)
    fields = {name: values[0] for name, values in parse_qs(parts.query).items()} | query
    return parts._replace(query=urlencode(fields)).geturl()


@pytest.mark.parametrize(
    "change", [{"signature": ""}, {"signature": "x"}, {"expires": "0"}, {"expires": "99999999999"}]
)
def test_a_link_can_not_be_changed(anybody, made, store, change):
    answer = anybody.put(changed(made["upload_url"], **change), content=b"x")
    assert (403, "bad_signature") == (answer.status_code, answer.json()["code"])
    assert [] == list(store.keys())


def test_a_link_is_for_one_object_and_one_method(anybody, client, made, store):
    other = client.post("/inputs/v1").json()
    answer = anybody.put(made["upload_url"].replace(made["input_id"], other["input_id"]), content=b"x")
    assert (403, "bad_signature") == (answer.status_code, answer.json()["code"])
    assert 204 == anybody.put(made["upload_url"], content=b"x").status_code
    assert 403 == anybody.get(made["upload_url"]).status_code
    assert 403 == anybody.put(store.link(next(store.keys()), seconds=60, media_type="x"), content=b"y").status_code


@pytest.mark.long
def test_a_link_expires(settings, key, store):
    with api_server(msgspec.structs.replace(settings, link_seconds=-1.0)) as server, server.client(key) as client:
        late = client.post("/inputs/v1").json()
        answer = client.put(late["upload_url"], content=b"x")
    assert (403, "bad_signature") == (answer.status_code, answer.json()["code"])
    assert "POST /inputs/v1" in answer.json()["detail"]


def test_a_key_is_asked_for(anybody):
    answer = anybody.post("/inputs/v1")
    assert (401, "unauthenticated") == (answer.status_code, answer.json()["code"])


@pytest.mark.long
def test_with_s3_nothing_passes_through_here(settings, key, rows):
    url = "s3://bucket?endpoint=http://store:9000&public_endpoint=https://media.example&access_key=a&secret_key=b"
    with api_server(msgspec.structs.replace(settings, storage_url=url)) as server, server.client(key) as client:
        made = client.post("/inputs/v1").json()
        answer = client.put("/files/a/inputs/b?expires=0&signature=x", content=b"x")
    assert made["upload_url"].startswith("https://media.example/bucket/")
    assert "X-Amz-Signature" in made["upload_url"]
    assert (404, "not_found") == (answer.status_code, answer.json()["code"])


@pytest.mark.long
def test_a_disk_without_room(settings, key, tmp_path, rows):
    """The folder for temporary files is gone: 503, as for a store that is away."""
    homeless = msgspec.structs.replace(settings, scratch_dir=str(tmp_path / "nowhere"))
    with api_server(homeless) as server, server.client(key) as client:
        made = client.post("/inputs/v1").json()
        answer = httpx.put(made["upload_url"], content=b"x")
    assert (503, "storage_unavailable") == (answer.status_code, answer.json()["code"])
