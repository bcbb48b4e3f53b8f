"""Connections in bounds: heads, silence, slow bodies, and their number. A refusal is a problem, and the end."""

import resource
from contextlib import ExitStack
from urllib.parse import urlsplit

import msgspec
import pytest

from api import serve
from api.server.protocol import FREE_CHUNKS, LEAST_CHUNK
from core.settings import Settings
from core.storage.store import open_store
from tests.support.service.api_server import api_server
from tests.support.service.raw_http import connection, is_closed, read_answer, send
from tests.support.wait import until

LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
MOST, MOST_PER_ADDRESS = 40, 20


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Without a database: what is tested here is settled before any route."""
    return Settings(
        database_url="postgresql://127.0.0.1:1/x",
        broker_url="redis://127.0.0.1:1/0",
        storage_url=f"file://{tmp_path_factory.mktemp('objects')}",
        secret_key="a secret of the tests of 32 bytes",
        head_seconds=1.0,
        body_seconds=1.0,
        send_seconds=1.0,
        connections=MOST,
        connections_per_address=MOST_PER_ADDRESS,
    )


@pytest.fixture(scope="module")
def running(settings):
    with pytest.MonkeyPatch.context() as patch, api_server(settings) as server:
        patch.setattr(serve, "SWEEP_TICKS", 1)
        yield server


@pytest.fixture(scope="module")
def patient(settings):
    """The same with the usual times, so that only new connections close others."""
    times = {name: getattr(Settings(), name) for name in ("head_seconds", "body_seconds", "send_seconds")}
    with api_server(msgspec.structs.replace(settings, **times)) as server:
        yield server


@pytest.fixture
def server(running):
    """The running API, once connections of the tests before are closed."""
    until(lambda: running.connections == 0, what="connections of the test before to end")
    return running


@pytest.fixture
def upload(server):
    return upload_head(server)


def upload_head(server):
    """The head of an upload, which needs no key: the route reads the body as it comes."""
    link = urlsplit(open_store(server.settings).upload_link("tenant/inputs/x", seconds=60))
    return f"PUT {link.path}?{link.query} HTTP/1.1\r\nHost: a\r\n".encode()


def test_a_head_of_32_kb_is_read(server):
    with connection(server.url) as opened:
        opened.sendall(LIVE[:-2] + b"X-Long: " + b"a" * 32_000 + b"\r\n\r\n")
        assert 200 == read_answer(opened).status
        opened.sendall(LIVE)
        assert 200 == read_answer(opened).status


@pytest.mark.parametrize(
    "begin",
    [b"GET /", LIVE[:-2] + b"X-Long: ", LIVE[:-2] + b"X: a\r\n" * 10_000],
    ids=["request line", "one header", "many headers"],
)
def test_a_head_above_64_kb_is_refused(server, begin):
    with connection(server.url) as opened:
        send(opened, (begin + b"a" * 65_536)[:65_536])
        answer = read_answer(opened)
        assert (431, "head_too_large") == (answer.status, answer.code)
        assert is_closed(opened)


def test_a_whole_head_above_64_kb_is_refused_too(server):
    with connection(server.url) as opened:
        send(opened, LIVE[:-2] + b"X-Long: " + b"a" * 1_000_000 + b"\r\n\r\n" + LIVE)
        assert 431 == read_answer(opened).status
        assert is_closed(opened)


@pytest.mark.parametrize("chunk", [b"5;a=", b"0\r\nX: ", b"0\r\n" + b"X: a\r\n" * 60_000], ids=str)
def test_endless_chunk_headers_and_trailers_are_refused(server, upload, chunk):
    with connection(server.url) as opened:
        opened.sendall(upload + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")
        send(opened, chunk + b"a" * 400_000)
        assert 431 == read_answer(opened).status
        assert is_closed(opened)


def test_a_body_in_many_small_chunks_is_refused(server, upload):
    head = upload + b"Transfer-Encoding: chunked\r\n\r\n"
    with connection(server.url) as opened:
        opened.sendall(head + b"1\r\na\r\n" * FREE_CHUNKS)  # so many are free
        opened.sendall((b"%x\r\n%s\r\n" % (LEAST_CHUNK, b"a" * LEAST_CHUNK)) * FREE_CHUNKS + b"0\r\n\r\n")
        assert 204 == read_answer(opened).status
        send(opened, head + b"1\r\na\r\n" * 40_000)
        answer = read_answer(opened)
        assert (400, "malformed_request") == (answer.status, answer.code)
        assert is_closed(opened)


@pytest.mark.long
@pytest.mark.parametrize("framing", [b"Content-Length: 30000000000", b"Transfer-Encoding: chunked"])
def test_the_rest_of_a_refused_body_is_dropped_up_to_a_bound(patient, framing):
    """A client that sends all of its body before it reads gets its answer; one that sends without an end is cut off."""
    piece = b"10000\r\n" + b"a" * 65_536 + b"\r\n"

    def send_on():
        for _ in range(200_000_000 // len(piece)):
            opened.sendall(piece)

    with connection(patient.url) as opened:
        opened.sendall(b"PUT /files/x HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
        for _ in range(20_000_000 // len(piece)):
            opened.sendall(piece)
        assert 403 == read_answer(opened).status
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_on()


def test_what_does_not_come_in_time_is_refused(server, upload):
    """A head and a body; also a head on a connection that was in use before, and a body that no route reads."""
    late = {
        "one byte": b"G",
        "half a request line": LIVE[:8],
        "half a head": LIVE[:20],
        "a head without its end": LIVE[:-2],
        "half a body": upload + b"Content-Length: 99\r\n\r\nabc",
        "half a chunk": upload + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc",
    }
    with ExitStack() as stack:
        opened = []

        def begin(data):
            opened.append(stack.enter_context(connection(server.url)))
            opened[-1].sendall(data)
            return opened[-1]

        unread = begin(b"PUT /files/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nabc")
        second = begin(LIVE)
        assert (403, 200) == (read_answer(unread).status, read_answer(second).status)
        second.sendall(LIVE[:20])
        begun = {"a second head": second} | {name: begin(data) for name, data in late.items()}
        answers = {name: read_answer(each) for name, each in begun.items()}
        assert dict.fromkeys(begun, 408) == {name: answer.status for name, answer in answers.items()}
        assert {"request_timed_out"} == {answer.code for answer in answers.values()}
        begin(b"")  # a connection that says nothing gets no answer
        assert all(is_closed(each) for each in opened)


def test_a_connection_that_is_kept_outlives_the_time_of_a_head(server):
    with connection(server.url) as kept, connection(server.url) as silent:
        kept.sendall(LIVE)
        assert 200 == read_answer(kept).status
        assert is_closed(silent)
        kept.sendall(LIVE)
        assert 200 == read_answer(kept).status


def test_a_client_that_takes_nothing_is_cut_off(server):
    with connection(server.url) as opened:
        opened.sendall(b"GET /schema/scripts/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n" * 8)
        until(lambda: server.connections == 1, what="the connection")
        until(lambda: server.connections == 0, what="its end")


@pytest.mark.parametrize(
    "headers",
    [
        b"Host: a\r\nHost: b\r\n",
        b"",
        b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
        b"Host: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
        b"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Host: a\r\nX : a\r\n",
        b"Host: a\r\nX\0: a\r\n",
    ],
    ids=str,
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(server, headers):
    with connection(server.url) as opened:
        opened.sendall(b"GET /health/live HTTP/1.1\r\n" + headers + b"\r\n")
        answer = read_answer(opened)
        assert (400, "malformed_request") == (answer.status, answer.code)


@pytest.mark.long
def test_silent_connections_give_way_to_new_ones(patient):
    with ExitStack() as stack:
        first, second, *_ = [stack.enter_context(connection(patient.url)) for _ in range(MOST_PER_ADDRESS)]
        second.sendall(LIVE[:20])  # a head that has only begun gives way as well
        until(lambda: patient.connections == MOST_PER_ADDRESS, what="all of them")
        for closed in (first, second):
            with connection(patient.url) as opened:
                opened.sendall(LIVE)
                assert 200 == read_answer(opened).status
                assert is_closed(closed)
                assert MOST_PER_ADDRESS == patient.connections
            stack.enter_context(connection(patient.url))


def test_a_connection_is_refused_while_all_others_are_in_use(patient):
    until(lambda: patient.connections == 0, what="connections of the test before to end")
    with ExitStack() as stack:
        busy = [stack.enter_context(connection(patient.url)) for _ in range(MOST_PER_ADDRESS)]
        for opened in busy:
            opened.sendall(upload_head(patient) + b"Content-Length: 1000000\r\n\r\n")
        until(lambda: patient.busy_connections == MOST_PER_ADDRESS, what="all of them to be in use")
        with connection(patient.url) as refused:
            answer = read_answer(refused)
            assert (503, "too_many_connections") == (answer.status, answer.code)
            assert is_closed(refused)
        with connection(patient.url, source="127.0.0.2") as neighbor:
            neighbor.sendall(LIVE)
            assert 200 == read_answer(neighbor).status


def test_the_soft_limit_of_files_is_raised():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        assert min(hard, serve.MOST_FILES) == serve.raise_file_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
