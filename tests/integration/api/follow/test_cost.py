"""What followers cost the database and the broker, how many there may be, and that a revoked key ends them."""

import asyncio
import threading
import time
from contextlib import contextmanager

import msgspec
import pytest
from redis import Redis
from sqlalchemy import text

from jobs.events import STREAM
from jobs.statements import api_keys
from tests.support.rows.rows import ARTIFACT
from tests.support.rows.statements import executed
from tests.support.service.api_server import api_server, make_key
from tests.support.wait import until

PERIOD = 0.5


class Streams:
    """Open event streams, each a socket of one event loop in a thread; `seen` counts the snapshots."""

    def __init__(self, api, key, job_ids):
        self.seen = self.ended = 0
        self._host, self._port = api.url.removeprefix("http://").split(":")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks = [asyncio.run_coroutine_threadsafe(self._read(key, job_id), self._loop) for job_id in job_ids]

    async def _read(self, key, job_id):
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        head = f"GET /jobs/v1/{job_id}/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n"
        try:
            writer.write(head.encode())
            while line := await reader.readline():
                self.seen += line.startswith(b"event:")
                if line == b"0\r\n":  # the last chunk
                    break
        finally:
            self.ended += 1
            writer.close()

    def close(self):
        for task in self._tasks:
            task.cancel()
        until(lambda: self.ended == len(self._tasks), what="the streams to close")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@contextmanager
def streams(api, key, job_ids):
    opened = Streams(api, key, job_ids)
    try:
        until(lambda: opened.seen >= len(job_ids), timeout=60.0, what="a snapshot of each")
        yield opened
    finally:
        opened.close()


@pytest.fixture
def quick(settings):
    with api_server(msgspec.structs.replace(settings, reread_seconds=PERIOD, max_streams=20)) as server:
        yield server


@pytest.fixture
def slow(settings):
    """An API that re-reads nothing while a test lasts."""
    with api_server(msgspec.structs.replace(settings, reread_seconds=60.0)) as server:
        yield server


def test_idle_streams_share_their_re_reads(quick, key, create):
    """Two statements a tick for all of them: the rows, and the places in the queue that they wait in."""
    jobs = [create() for _ in range(20)]
    with streams(quick, key, jobs), executed() as found:
        began = time.monotonic()
        until(lambda: sum("look_again" in statement for statement in found) >= 4, what="four re-reads")
        ticks = (time.monotonic() - began) / PERIOD + 1
        assert len(found) <= 4 * ticks, found  # a tick may come in two parts


@pytest.mark.long
def test_32_three_hundred_idle_streams_cost_no_transactions(settings, key, create, rows):
    """Fewer than 20 a second, of all that the database does; nothing else runs."""
    jobs = [create() for _ in range(300)]
    with api_server(msgspec.structs.replace(settings, max_streams=300)) as api, streams(api, key, jobs):
        before, began = transactions(rows), time.monotonic()
        until(lambda: time.monotonic() > began + 20.0, timeout=60.0, every=1.0)
        assert (transactions(rows) - before) / (time.monotonic() - began) < 20


def transactions(rows):
    """Those that ended so far in this database, with this one."""
    return rows.scalar(
        text("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    )


@pytest.mark.long
def test_followers_do_not_multiply_the_reads_of_the_broker(slow, key, create, worker, broker_url):
    """Each read names one stream, however many jobs are followed."""
    jobs = [create() for _ in range(20)]
    with streams(slow, key, jobs) as opened, Redis.from_url(broker_url) as broker, broker.monitor() as monitor:
        job = worker.claim()
        for step in (0.25, 0.5, 0.75):
            job = worker.progress(job, step)
        until(lambda: opened.seen == 20 + 4, what="the events")
        Redis.from_url(broker_url).echo("enough")
        commands = iter(lambda: monitor.next_command()["command"], "ECHO enough")
        reads = [command.rpartition(" STREAMS ")[2].split() for command in commands if command.startswith("XREAD")]
    assert 1 <= len(reads) <= 10
    assert {STREAM} == {name for name, _ in reads}


@pytest.mark.long
def test_32_a_stream_beyond_the_tenants_limit_is_refused(quick, key, create, rows, settings, tenant):
    jobs = [create() for _ in range(20)]
    stranger = rows.tenant("another")
    theirs = rows.submit(stranger)
    with quick.client(key) as client:
        with streams(quick, key, jobs):
            refused = client.get(f"/jobs/v1/{jobs[0]}/events")
            assert (429, "too_many_streams", "5") == (
                refused.status_code,
                refused.json()["code"],
                refused.headers["Retry-After"],
            )
            assert "application/problem+json" == refused.headers["Content-Type"]
            with streams(quick, make_key(rows, settings, stranger), [theirs.id]):
                assert 200 == client.get(f"/jobs/v1/{jobs[0]}").status_code
        with streams(quick, key, jobs[:1]):
            pass


class TestRevokedKey:
    """A key that is revoked ends what it has open, within 10 s of the default settings."""

    def revoke(self, rows, key_id):
        assert [(key_id,)] == [tuple(row) for row in rows.execute(api_keys.revoke_key(key_id))]

    @pytest.fixture(params=[PERIOD, pytest.param(5.0, marks=pytest.mark.long)])
    def server_of_period(self, request, settings):
        with api_server(msgspec.structs.replace(settings, reread_seconds=request.param)) as server:
            yield server

    @pytest.mark.long
    def test_35_its_stream_ends_and_others_go_on(self, server_of_period, key, create, rows, settings, tenant, worker):
        job_id = create()
        (first,) = rows.execute(text("SELECT id FROM api_keys"))
        other = make_key(rows, settings, tenant)
        with streams(server_of_period, other, [job_id]) as going_on, streams(server_of_period, key, [job_id]) as cut:
            self.revoke(rows, first.id)
            until(lambda: cut.ended == 1, timeout=10.0, what="the end of the stream")
            assert 1 == cut.seen
            assert 0 == going_on.ended
            worker.complete(worker.claim(), ARTIFACT)
            until(lambda: going_on.ended == 1, what="the end of the job")
        with server_of_period.client(key) as client:
            assert 401 == client.get(f"/jobs/v1/{job_id}/events").status_code

    @pytest.mark.long
    def test_35_its_wait_is_answered_401(self, server_of_period, key, server, rows):
        answers = []

        def wait():
            with server_of_period.client(key) as client:
                answers.append(client.post("/generate/image/v1?wait=60", json={"prompt": "a"}))

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        until(lambda: server_of_period.event_hub.following == 1, what="the wait to begin")
        (row,) = rows.execute(text("SELECT id FROM api_keys"))
        self.revoke(rows, row.id)
        (answer,) = until(lambda: answers, timeout=10.0, what="the answer")
        assert (401, "unauthenticated") == (answer.status_code, answer.json()["code"])
