"""POST /inputs/v1 with the file in its body: raw, or in a form."""

import io
import json
import shutil
import socket
import subprocess
from urllib.parse import urlsplit

import msgspec
import pytest
from PIL import Image

from jobs.schema.tables import uploads
from tests.support.service.api_server import api_server
from tests.support.wait import until

CUTOUT = "/generate/remove-background/v1"
FILE = {"Content-Type": "image/png"}


def png(side=8):
    file = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(file, "PNG")
    return file.getvalue()


PNG = png()


def padded(size):
    return PNG + bytes(size - len(PNG))


def content_of(store, tenant, input_id, tmp_path):
    store.get(f"{tenant}/inputs/{input_id}", tmp_path / "object")
    return (tmp_path / "object").read_bytes()


def refused(answer, status, code, field=None):
    assert (status, code, field) == (answer.status_code, answer.json()["code"], answer.json().get("field"))
    return answer.json()["detail"]


@pytest.mark.parametrize(
    "sent",
    [
        {"files": {"file": ("a.png", PNG, "image/png")}},
        {"files": {"file": ("a.bin", PNG)}},
        {"content": PNG, "headers": {"Content-Type": "image/png"}},
        {"content": PNG},
        {"content": iter([PNG[:20], PNG[20:]]), "headers": {"Content-Type": "application/octet-stream"}},
        {"content": PNG, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
    ids=["form", "form without a type", "raw", "raw without a type", "chunked", "as curl sends it"],
)
def test_a_file_in_the_body_is_there(client, store, tenant, rows, all_models, tmp_path, sent):
    answer = client.post("/inputs/v1", **sent)
    assert 201 == answer.status_code, answer.text
    made = answer.json()
    assert {"uploaded": True, "media_type": "image/png", "bytes": len(PNG), "max_bytes": 20_000_000} == {
        name: value for name, value in made.items() if name != "input_id"
    }
    assert PNG == content_of(store, tenant, made["input_id"], tmp_path)
    assert [len(PNG)] == [row.bytes for row in rows.execute(uploads.select())]
    assert 202 == client.post(CUTOUT, json={"image_url": made["input_id"]}).status_code


@pytest.mark.parametrize("sent", [{}, {"json": {}}, {"content": b"", "headers": FILE}], ids=["none", "{}", "empty"])
def test_without_a_file_the_answer_has_a_link(client, sent):
    made = client.post("/inputs/v1", **sent).json()
    assert (False, "PUT") == (made["uploaded"], made["method"])
    assert made["upload_url"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("how", ["-F file=@{}", "--data-binary @{}", "-T {} -X POST"])
def test_curl_sends_it_as_everybody_does(api, key, client, store, tenant, tmp_path, how):
    (tmp_path / "a.png").write_bytes(content := padded(2_000_000))  # above 1 MB curl waits for `100 Continue`
    command = ["curl", "-sS", *how.format(tmp_path / "a.png").split(), "-H", f"X-API-Key: {key}"]
    said = subprocess.run([*command, f"{client.base_url}/inputs/v1"], capture_output=True, text=True, check=True)
    made = json.loads(said.stdout)
    assert (True, len(content)) == (made["uploaded"], made["bytes"]), said.stdout
    assert content == content_of(store, tenant, made["input_id"], tmp_path)


@pytest.mark.parametrize(
    ("sent", "status", "code", "field", "says"),
    [
        ({"json": {"url": "https://a.example"}}, 415, "unsupported_type", None, "as the field `file` of a form"),
        ({"json": [0] * 50_000}, 415, "unsupported_type", None, "as the field `file` of a form"),
        ({"data": {"a": "b"}}, 422, "unsupported_media", None, "send an image as PNG"),
        ({"content": b"%PDF-1.7"}, 422, "unsupported_media", None, "or audio as WAV"),
        ({"content": b"\0\0\0\x18ftypheic"}, 422, "unsupported_media", None, "HEIC"),
        ({"files": {"file": b""}}, 422, "input_unreadable", None, "The file is empty"),
        ({"content": iter([b""])}, 422, "input_unreadable", None, "The file is empty"),
        ({"files": {"image": PNG}}, 422, "unknown_field", "$.image", "did you mean `file`?"),
        ({"files": {"file": PNG}, "data": {"purpose": "x"}}, 422, "unknown_field", "$.purpose", "`file`"),
        ({"files": [("file", PNG), ("file", PNG)]}, 422, "invalid_request", "$.file", "send one file"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 422, "invalid_request", None, "form"),
        (
            {"content": b"--b\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            *(422, "invalid_request", None, "The form cannot be read"),
        ),
        (
            {"content": b"--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            *(422, "missing_field", "$.file", "add it to the form"),
        ),
        ({"content": PNG, "headers": {"Content-Encoding": "gzip"}}, 415, "unsupported_encoding", None, "gzip"),
    ],
)
def test_a_body_that_is_no_file_is_refused(client, store, rows, sent, status, code, field, says):
    assert says in refused(client.post("/inputs/v1", **sent), status, code, field)
    assert ([], []) == (list(store.keys()), rows.execute(uploads.select()))


@pytest.mark.parametrize("way", ["raw", "chunked", "form"])
def test_a_file_at_the_limit_is_taken_and_not_above(client, store, rows, way):
    def sent(size):
        content = padded(size)
        if way == "form":
            return {"files": {"file": content}}
        return {"content": content if way == "raw" else iter([content])}

    assert 20_000_000 == client.post("/inputs/v1", **sent(20_000_000)).json()["bytes"]
    for size in (20_000_001, 20_020_000, 25_000_000):
        detail = refused(client.post("/inputs/v1", **sent(size)), 413, "body_too_large")
        assert "Send at most 20000000 bytes." == detail
    assert (1, 1) == (len(list(store.keys())), len(rows.execute(uploads.select())))


def test_half_a_file_leaves_nothing(client, key, store, rows, api):
    address = urlsplit(str(client.base_url))
    head = f"POST /inputs/v1 HTTP/1.1\r\nHost: {address.netloc}\r\nX-API-Key: {key}\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + PNG)
        until(lambda: rows.execute(uploads.select()), what="the upload to begin")
    until(lambda: not rows.execute(uploads.select()), what="the upload to be forgotten")
    assert [] == list(store.keys())


@pytest.mark.long
def test_a_body_takes_its_part_of_the_budget(settings, key, rows, store):
    """Of a budget that another file of the tenant holds in full, nothing is left for this one."""
    small = msgspec.structs.replace(settings, file_budget=1_000_000, body_wait_seconds=0.2)
    with api_server(small) as server, server.client(key) as client:
        address = urlsplit(str(client.base_url))
        head = f"POST /inputs/v1 HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nContent-Length: 900000\r\n\r\n"
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(head.encode() + PNG)
            until(lambda: rows.execute(uploads.select()), what="the first upload to begin")
            until(
                lambda: client.post("/inputs/v1", content=padded(900_000)).status_code == 429,
                what="the share to be full",
            )
            assert 201 == client.post("/inputs/v1", content=PNG).status_code  # a small one takes nothing of it


@pytest.mark.long
def test_the_limit_of_a_tenant_holds_before_the_body(settings, key, rows, store):
    limited = msgspec.structs.replace(settings, max_uploads=1)
    with api_server(limited) as server, server.client(key) as client:
        assert 201 == client.post("/inputs/v1", content=PNG).status_code
        refused(client.post("/inputs/v1", content=PNG), 429, "too_many_uploads")
    assert 1 == len(list(store.keys()))


def test_a_key_is_asked_for(api, store):
    with api.client() as anybody:
        refused(anybody.post("/inputs/v1", content=PNG), 401, "unauthenticated")
    assert [] == list(store.keys())


@pytest.mark.long
def test_a_disk_without_room(settings, key, tmp_path, rows):
    homeless = msgspec.structs.replace(settings, scratch_dir=str(tmp_path / "nowhere"))
    with api_server(homeless) as server, server.client(key) as client:
        refused(client.post("/inputs/v1", content=PNG), 503, "storage_unavailable")
    assert [] == rows.execute(uploads.select())
