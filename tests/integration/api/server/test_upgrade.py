"""A request that offers another protocol is answered as HTTP/1.1, with its body whole (RFC 9110, section 7.8)."""

import json

import pytest

from tests.support.service.raw_http import connection, read_answer

BODY = b'{"prompt":"a red circle on a blue background"}'


def java(url, key, body=BODY):
    """What Java's HttpClient sends by default, byte for byte (JDK 17)."""
    return (
        b"POST /generate/image/v1 HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Content-Length: %d\r\nHost: %s\r\n"
        b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nUpgrade: h2c\r\n"
        b"User-Agent: Java-http-client/17.0.15\r\nContent-Type: application/json\r\nX-API-Key: %s\r\n\r\n"
    ) % (len(body), url.removeprefix("http://").encode(), key.encode())


@pytest.mark.contract("C48", "F47")
def test_37_javas_http_client_submits_a_job(api, server, key, client):
    with connection(api.url) as opened:
        for _ in range(2):  # the second one on the same connection
            opened.sendall(java(api.url, key))
            opened.sendall(BODY)
            answer = read_answer(opened)
            assert (202, None) == (answer.status, answer.headers.get("upgrade"))
            job = client.get(f"/jobs/v1/{json.loads(answer.body)['job_id']}").json()
            assert "queued" == job["status"]


@pytest.mark.parametrize("offer", [b"h2c", b"websocket", b"TLS/1.0, h2c"])
def test_37_any_offer_is_ignored(api, server, key, offer):
    with connection(api.url) as opened:
        opened.sendall(java(api.url, key).replace(b"Upgrade: h2c", b"Upgrade: " + offer) + BODY)
        assert 202 == read_answer(opened).status


def test_37_a_chunked_body_is_whole(api, server, key):
    chunked = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (9, BODY[:9], len(BODY) - 9, BODY[9:])
    head = java(api.url, key).replace(b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked")
    with connection(api.url) as opened:
        opened.sendall(head + chunked)
        assert 202 == read_answer(opened).status
