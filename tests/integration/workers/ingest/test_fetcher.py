"""Fetching from real web servers that behave, misbehave and lie."""

import asyncio
import gzip
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors.failures import InputUnreachable
from core.errors.fields import ForbiddenUrl
from core.errors.inputs import InputTooLarge
from core.settings import Settings
from tests.support.paths import TLS
from tests.support.servers.media_server import MediaServer
from tests.support.servers.webhook_receiver import Tarpit
from workers.ingest.fetcher import UNREACHABLE, Fetcher
from workers.ingest.retry_later import RetryLater

LIMIT = 100_000
"""A throw-away authority, and a certificate (with its key) that it gave to `hooks.example`."""


@pytest.fixture
def host():
    with MediaServer() as server:
        yield server


@pytest.fixture
def fetch(tmp_path):
    """Fetch a URL; the bytes that arrived."""

    def make(url, **settings):
        chosen = {"development": True, "allowed_networks": "127.0.0.1/32", "input_max_bytes": LIMIT} | settings

        async def run():
            fetcher = Fetcher(Settings(**chosen))
            try:
                await fetcher.fetch(url, tmp_path / "file", attempt=1)
            finally:
                await fetcher.close()

        asyncio.run(run())
        return (tmp_path / "file").read_bytes()

    return make


def test_the_bytes_arrive_and_no_compression_is_asked_for(fetch, host):
    assert b"picture" * 1000 == fetch(host.serve("/a", b"picture" * 1000))
    (headers,) = host.headers
    assert ("identity", f"127.0.0.1:{host.port}") == (headers["accept-encoding"], headers["host"])


def test_a_missing_length_is_no_problem(fetch, host):
    assert b"picture" == fetch(host.serve("/a", b"picture", length=""))


def test_a_query_and_a_fragment(fetch, host):
    host.serve("/a?b=c", b"picture")
    assert b"picture" == fetch(f"{host.url}/a?b=c#d")


class TestTooLarge:
    """The cap is on what arrives, whatever was announced."""

    def test_what_says_so_is_not_read(self, fetch, host):
        with pytest.raises(InputTooLarge):
            fetch(host.serve("/a", b"x", length=str(LIMIT + 1)))

    @pytest.mark.parametrize("length", ["", None])
    def test_what_does_not_say_so_is_cut_off(self, fetch, host, tmp_path, length):
        with pytest.raises(InputTooLarge):
            fetch(host.serve("/a", bytes(20 * LIMIT), length=length))
        assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size <= LIMIT

    def test_the_limit_itself_is_taken(self, fetch, host):
        assert LIMIT == len(fetch(host.serve("/a", bytes(LIMIT))))


class TestFinal:
    """What another attempt would not mend."""

    @pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410, 451])
    def test_answers(self, fetch, host, status):
        with pytest.raises(InputUnreachable, match=f"answered {status}"):
            fetch(host.serve("/a", b"" if status in (204, 304) else b"x", status=status))

    def test_a_compressed_file(self, fetch, host):
        url = host.serve("/a", gzip.compress(bytes(10**6)), headers={"Content-Encoding": "gzip"})
        with pytest.raises(InputUnreachable, match="compressed"):
            fetch(url)

    def test_an_empty_file(self, fetch, host):
        with pytest.raises(InputUnreachable, match="empty"):
            fetch(host.serve("/a", b""))

    @pytest.mark.parametrize(
        "url", ["ftp://x.example/a", "file:///etc/passwd", "http://", "http://169.254.169.254/latest"]
    )
    def test_forbidden_urls(self, fetch, url):
        with pytest.raises(ForbiddenUrl):
            fetch(url)


class TestAgain:
    """What may go better next time."""

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
    def test_answers(self, fetch, host, status):
        with pytest.raises(RetryLater, match=f"answered {status}") as caught:
            fetch(host.serve("/a", b"x", status=status, headers={"Retry-After": "7"}))
        assert ("input_unreachable", 7.0) == (caught.value.error.code, caught.value.after)

    def test_a_host_that_says_to_wait_for_long_is_asked_sooner(self, fetch, host):
        with pytest.raises(RetryLater) as caught:
            fetch(host.serve("/a", b"x", status=503, headers={"Retry-After": "86400"}))
        assert 300 == caught.value.after

    def test_a_length_that_was_a_lie(self, fetch, host):
        with pytest.raises(RetryLater, match="ended the answer early"):
            fetch(host.serve("/a", b"half", length="8"))

    def test_nobody_there(self, fetch):
        with Tarpit() as gone:
            pass
        assert UNREACHABLE == self.detail(fetch, gone.url)

    def detail(self, fetch, url, **settings):
        """What the caller reads; another attempt may follow, for every reason alike."""
        with pytest.raises(RetryLater) as caught:
            fetch(url, **settings)
        assert ("input_unreachable", 0.0) == (caught.value.error.code, caught.value.after)
        return caught.value.error.detail

    def test_a_host_that_never_answers(self, fetch):
        with Tarpit() as pit:
            assert UNREACHABLE == self.detail(fetch, pit.url, input_timeout=0.3)

    @pytest.mark.parametrize("address", ["10.0.0.5", "127.0.0.2", "169.254.169.254", "::1"])
    def test_44_a_name_that_resolves_inside_reads_as_unknown(self, fetch, host, monkeypatch, address):
        """Neither sentence, code nor number of attempts tells a caller which names an operator's network has."""

        def getaddrinfo(name, port, *more, **named):
            if named.get("flags"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            if name == "missing.example":
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            return [(family, socket.SOCK_STREAM, 6, "", (address if name == "inside.example" else name, port))]

        redirects = {
            name: host.serve(f"/{name}", status=302, headers={"Location": f"http://{name}/"}) for name in NAMES
        }
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        assert {UNREACHABLE} == {self.detail(fetch, f"http://{name}/") for name in NAMES}
        assert {UNREACHABLE} == {self.detail(fetch, url) for url in redirects.values()}

    def test_a_server_of_another_protocol(self, fetch):
        """As that of a shell, of mail or of Redis."""
        with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
            greeting = pool.submit(greet, listening)
            assert UNREACHABLE == self.detail(fetch, f"http://127.0.0.1:{listening.getsockname()[1]}/")
            greeting.result()

    def test_a_host_that_dribbles(self, fetch, host):
        with pytest.raises(RetryLater, match=r"within 0\.3 s"):
            fetch(host.serve("/a", bytes(1000), dribble=0.05), input_timeout=0.3)

    def test_a_name_that_does_not_resolve(self, fetch):
        assert UNREACHABLE == self.detail(fetch, "http://missing.invalid/")

    def test_tls_that_breaks_after_the_handshake(self, fetch, monkeypatch):
        """As a host does that wants a certificate from its visitors: TLS 1.3 says so only then."""
        real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: real("127.0.0.1", *more, **named))
        wants = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        wants.load_cert_chain(TLS / "server.pem")
        wants.load_verify_locations(TLS / "ca.pem")
        wants.verify_mode = ssl.CERT_REQUIRED
        with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
            refusal = pool.submit(refuse, wants, listening)
            url = f"https://hooks.example:{listening.getsockname()[1]}/"
            assert UNREACHABLE == self.detail(fetch, url, ca_bundle=str(TLS / "ca.pem"))
            refusal.result()

    def test_headers_without_end(self, fetch, host):
        url = host.serve("/a", b"x", headers={f"X-{n}": "y" * 1000 for n in range(200)})
        assert UNREACHABLE == self.detail(fetch, url)


NAMES = ("inside.example", "missing.example")


def greet(listening):
    connection, _ = listening.accept()
    with connection:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.recv(10_000)


def refuse(context, listening):
    """Take a connection whose visitor shows no certificate."""
    connection, _ = listening.accept()
    with connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_side=True)


class TestRedirects:
    """At most three, each judged."""

    def chain(self, host, hops, end="/end"):
        for hop in range(hops):
            to = f"/{hop + 1}" if hop + 1 < hops else end
            host.serve(f"/{hop}", status=[301, 302, 303, 307, 308][hop % 5], headers={"Location": to})
        host.serve("/end", b"picture")
        return f"{host.url}/0"

    def test_three_are_followed(self, fetch, host):
        assert b"picture" == fetch(self.chain(host, 3))

    def test_a_fourth_is_not(self, fetch, host):
        with pytest.raises(InputUnreachable, match="more than 3 times"):
            fetch(self.chain(host, 4))

    def test_a_circle(self, fetch, host):
        with pytest.raises(InputUnreachable, match="more than 3 times"):
            fetch(host.serve("/a", status=302, headers={"Location": "/a"}))

    @pytest.mark.parametrize(
        "location",
        ["http://127.0.0.2/", "//10.0.0.1/", "http://[::1]/", "file:///etc/passwd", "http://169.254.169.254/latest"],
    )
    def test_20_a_redirect_to_a_private_address_is_refused(self, fetch, host, location):
        with pytest.raises(ForbiddenUrl) as caught:
            fetch(self.chain(host, 2, end=location))
        assert not any(secret in caught.value.detail for secret in ("127.", "10.", "169.", "::1", "passwd"))

    @pytest.mark.parametrize("location", ["http://host:port/", "https://xn--zzzz99999/", "data:image/png;base64,AA"])
    def test_one_that_is_no_url(self, fetch, host, location):
        with pytest.raises(RetryLater) as caught:
            fetch(host.serve("/a", status=302, headers={"Location": location}))
        assert UNREACHABLE == caught.value.error.detail

    def test_one_without_a_place(self, fetch, host):
        with pytest.raises(InputUnreachable, match="answered 302"):
            fetch(host.serve("/a", status=302))
