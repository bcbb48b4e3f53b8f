"""What only S3 has: servers that are away, deaf or full, and an endpoint for the public."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from minio.credentials.providers import IamAwsProvider

from core.errors.unavailable import StorageUnavailable
from core.settings import Settings
from core.storage import s3
from core.storage.s3 import S3Store
from core.storage.store import open_store
from tests.support.servers.s3 import Swift


def a_store(endpoint, **more):
    query = "".join(f"&{name}={value}" for name, value in more.items())
    return S3Store.from_url(f"s3://bucket?endpoint={endpoint}&access_key=a&secret_key=b{query}")


def uses(store, tmp_path):
    """Everything that asks the server."""
    source = tmp_path / "source"
    source.write_bytes(b"picture")
    return {
        "put": lambda: store.put("k", source, "text/plain"),
        "get": lambda: store.get("k", tmp_path / "target"),
        "size": lambda: store.size("k"),
        "head": lambda: store.head("k", 8),
        "keys": lambda: list(store.keys()),
        "remove_prefix": lambda: store.remove_prefix("k/"),
        "check": store.check,
    }


USES = ("put", "get", "size", "head", "keys", "remove_prefix", "check")


@pytest.fixture
def answering():
    """Servers that give one answer to everything."""
    servers = []

    def start(status, body=b"", content_type="application/xml"):
        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                self.rfile.read(int(self.headers.get("content-length") or 0))
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("use", USES)
def test_nobody_there_is_told_quickly(tmp_path, use):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(StorageUnavailable, match="cannot be reached") as caught:
        uses(a_store(endpoint), tmp_path)[use]()
    assert time.monotonic() - started < 2
    assert not caught.value.full


@pytest.mark.parametrize("use", USES)
def test_a_server_that_hangs_is_unavailable(tmp_path, monkeypatch, use):
    monkeypatch.setattr(s3, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        started = time.monotonic()
        with pytest.raises(StorageUnavailable, match="cannot be reached"):
            uses(a_store(f"http://127.0.0.1:{deaf.getsockname()[1]}"), tmp_path)[use]()
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("use", USES)
def test_what_is_no_s3_is_told(tmp_path, answering, use):
    with pytest.raises(StorageUnavailable):
        uses(a_store(answering(500, b"<html>oops</html>", "text/html")), tmp_path)[use]()


def error_body(code):
    return f"<Error><Code>{code}</Code><Message>m</Message><Resource>/</Resource></Error>".encode()


@pytest.mark.parametrize(
    ("status", "body", "content_type", "full"),
    [
        (507, error_body("InsufficientStorage"), "application/xml", True),
        (507, error_body("XMinioStorageFull"), "application/xml", True),
        (507, b"Insufficient Storage", "text/plain", True),
        (507, b"", "application/xml", True),
        (403, error_body("QuotaExceeded"), "application/xml", True),
        (503, error_body("SlowDown"), "application/xml", False),
        (403, error_body("AccessDenied"), "application/xml", False),
        (503, b"", "application/xml", False),
    ],
)
def test_a_full_store_differs_from_an_unavailable_one(tmp_path, answering, status, body, content_type, full):
    with pytest.raises(StorageUnavailable) as caught:
        uses(a_store(answering(status, body, content_type)), tmp_path)["put"]()
    assert full == caught.value.full


@pytest.mark.long
def test_a_store_that_was_away_works_again(s3, tmp_path):
    if not isinstance(s3, Swift):
        pytest.skip("ATELIER_TEST_S3_ENDPOINT names a server that is not ours to stop")
    store = S3Store.from_url(s3.storage_url("test-away"))
    store.make_bucket()
    uses(store, tmp_path)["put"]()
    s3.stop()
    try:
        for use in USES:
            with pytest.raises(StorageUnavailable):
                uses(store, tmp_path)[use]()
    finally:
        s3.start()
    assert ["k"] == list(store.keys())


@pytest.mark.long
def test_a_bucket_that_is_not_there_is_told(s3, tmp_path):
    store = S3Store.from_url(s3.storage_url("test-missing"))
    with pytest.raises(StorageUnavailable, match="create it first"):
        store.check()
    for use in ("put", "keys", "check"):
        with pytest.raises(StorageUnavailable) as caught:
            uses(store, tmp_path)[use]()
        assert "NoSuchBucket" == caught.value.reason


def test_a_wrong_key_is_told(s3, tmp_path):
    store = S3Store.from_url(s3.storage_url("test-wrong").replace(s3.secret_key, "wrong"))
    for use in USES:
        with pytest.raises(StorageUnavailable):
            uses(store, tmp_path)[use]()
    for use in ("put", "check"):
        with pytest.raises(StorageUnavailable) as caught:
            uses(store, tmp_path)[use]()
        assert "SignatureDoesNotMatch" == caught.value.reason


def test_a_check_leaves_nothing_behind(s3):
    store = S3Store.from_url(s3.storage_url("test-checked"))
    store.make_bucket()
    store.check()
    assert [] == list(store.keys())


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown"])
def test_a_check_says_what_a_write_is_answered(answering, code):
    """A bucket that may be read, and not written: a server's state names the reason."""
    with pytest.raises(StorageUnavailable, match=code) as caught:
        a_store(answering(403, error_body(code))).check()
    assert code == caught.value.reason


def test_a_role_without_keys_is_an_unavailable_store(tmp_path, monkeypatch, answering):
    """The service that gives a pod its keys may be away for a while, as the store itself."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)

    def retrieve(self):
        raise ValueError("no role")

    monkeypatch.setattr(IamAwsProvider, "retrieve", retrieve)
    store = S3Store.from_url(f"s3://bucket?endpoint={answering(200)}")
    with pytest.raises(StorageUnavailable) as caught:
        uses(store, tmp_path)["put"]()
    assert ("NoCredentials", False) == (caught.value.reason, caught.value.full)


def test_links_lead_to_the_public_endpoint():
    store = a_store("http://inside:9000", public_endpoint="https://media.example")
    assert store.link("k", seconds=60, media_type="text/plain").startswith("https://media.example/bucket/k?")
    assert a_store("http://inside:9000").link("k", seconds=60, media_type="t").startswith("http://inside:9000/")


def test_a_link_names_the_file():
    link = a_store("http://inside:9000").link("k", seconds=60, media_type="model/gltf-binary", name="chair.glb")
    query = parse_qs(urlsplit(link).query)
    assert ['inline; filename="chair.glb"'] == query["response-content-disposition"]
    assert ["model/gltf-binary"] == query["response-content-type"]


def test_a_link_lives_a_week_at_most():
    link = a_store("http://inside:9000").link("k", seconds=10**9, media_type="text/plain")
    assert "X-Amz-Expires=604800" in link


@pytest.mark.parametrize("url", ["", "objects", "ftp://x/y", "s3://", "file://", "s3:/bucket", "http://x"])
def test_a_url_without_a_store_says_what_to_write(url):
    with pytest.raises(ValueError, match="ATELIER_STORAGE_URL"):
        open_store(Settings(storage_url=url))
