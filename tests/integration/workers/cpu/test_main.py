"""The CPU worker as a process: it starts, touches its probe files, outlives an outage, and stops at a signal."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import msgspec
import psycopg
import pytest
from sqlalchemy import func, text

from core.settings import Settings
from jobs.job import JobStatus
from jobs.schema.tables import uploads
from jobs.statements.queue import tenant_jobs
from tests.support.rows.rows import ARTIFACT
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.cpu_worker import cpu_process, cpu_worker
from tests.support.wait import until
from workers.cpu.main import check
from workers.probe_files import ProbeFiles


@pytest.fixture
def settings(database_url, tmp_path):
    return Settings(
        database_url=database_url,
        broker_url="redis://127.0.0.1:1/0",
        storage_url=f"file://{tmp_path}/objects",
        scratch_dir=str(tmp_path / "scratch"),
        secret_key="a secret of the tests of 32 bytes",
        development=True,
        allowed_networks="127.0.0.0/8",
        upkeep_seconds=0.1,
        webhook_poll_seconds=0.1,
        retry_backoff=0.0,
        lease_seconds=6.0,  # nothing counts as lost for half of it after the start
        renew_seconds=0.2,
    )


def alive_file(settings):
    return ProbeFiles(settings, "cpu").alive


SLOW_LOOK_UP = """
import socket, time
real = socket.getaddrinfo
def getaddrinfo(host, *args, **kwargs):
    if host == "hooks.example":
        time.sleep(60)
    return real(host, *args, **kwargs)
socket.getaddrinfo = getaddrinfo
"""


def end_by(process, number):
    process.send_signal(number)
    _, log = process.communicate(timeout=20)
    return log


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_it_starts_touches_its_files_and_stops_cleanly(settings, number):
    with cpu_process(settings) as process:
        until(alive_file(settings).exists, 60, "the heartbeat file")
        assert time.time() - alive_file(settings).stat().st_mtime < 10
        log = end_by(process, number)
    assert 0 == process.returncode
    assert "cpu worker: started" in log
    assert "cpu worker: stopped" in log
    assert "Traceback" not in log
    assert not alive_file(settings).exists()


@pytest.mark.long
def test_a_hanging_name_server_does_not_delay_the_end(settings, rows, tmp_path):
    """The look-up takes a minute: the attempt ends in its own time, and so does the worker."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_LOOK_UP)
    hurried = msgspec.structs.replace(settings, webhook_timeout=0.5, webhook_schedule="0")
    rows.submit(rows.tenant(), deadline_seconds=-1.0, callback_url="http://hooks.example/")
    with cpu_process(hurried, {"PYTHONPATH": str(tmp_path)}) as process:
        until(alive_file(settings).exists, 60, "the start")
        (delivery,) = until(lambda: [row for row in rows.deliveries() if row.given_up_at], what="giving up")
        started = time.monotonic()
        log = end_by(process, signal.SIGTERM)
    assert time.monotonic() - started < 10
    assert 0 == process.returncode
    assert "No answer within 0.5 s." == delivery.problem
    assert "cpu worker: stopped" in log


@pytest.mark.long
def test_it_does_all_of_its_work_without_redis(settings, rows):
    with WebhookReceiver() as sink, cpu_process(settings):
        until(alive_file(settings).exists, 60, "the start")
        lost = rows.submit(rows.tenant())
        rows.claim(rows.server(), lease_seconds=-1.0)
        late = rows.submit(rows.tenant(), deadline_seconds=-1.0, callback_url=sink.url)
        until(lambda: rows.job(lost).status is JobStatus.QUEUED, what="the lost job to be queued again")
        until(lambda: sink.received, what="the webhook")
    assert late.id == sink.received[0].data["data"]["job_id"]


class SilentServer:
    """Accepts connections and never answers. A context manager, which drops them at its end."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.connections = []

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self.connections:
            connection.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                self.connections.append(self._socket.accept()[0])


@pytest.mark.long
def test_a_store_that_hangs_holds_up_no_deadline(settings, rows, monkeypatch):
    """Every task that asks the store waits for it, on a machine of one core, and deadlines pass meanwhile."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    tenant, claimant, old = rows.tenant(), rows.server(), func.now() - text("interval '3 days'")
    rows.submit(tenant)
    done = rows.complete(rows.claim(claimant), ARTIFACT)
    rows.set(done, finished_at=old)
    rows.input(done, "input_image", url="http://one.example/a.png", host="one.example")
    rows.execute(uploads.insert().values(id="inp", tenant=tenant, key="t/inputs/inp", created_at=old))
    rows.execute(tenant_jobs.erase(rows.submit(tenant).id, tenant))
    with SilentServer() as silent:
        url = f"s3://bucket?endpoint=http://127.0.0.1:{silent.port}&access_key=key&secret_key=secret"
        hung = msgspec.structs.replace(settings, storage_url=url, output_keep_seconds=1.0)
        with cpu_worker(hung):
            until(lambda: len(silent.connections) >= 5, what="every task to wait for the store")
            late = rows.submit(tenant, deadline_seconds=-1.0)
            until(lambda: rows.job(late).status is JobStatus.FAILED, what="the deadline", timeout=5)
            silent.close()  # else the end of the worker waits for the store


@pytest.mark.long
def test_it_outlives_a_database_that_goes_away(settings, rows, postgres):
    """The database refuses every connection for a while: nothing dies, and all is done afterwards."""
    with postgres.empty() as elsewhere, WebhookReceiver() as sink, cpu_process(settings) as process:
        name = rows.engine.url.database
        until(alive_file(settings).exists, 60, "the start")
        with psycopg.connect(elsewhere, autocommit=True) as admin:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
            until(lambda: admin.execute(cut, [name]).fetchone()[0] == 0, what="every connection to be cut")
            alive_file(settings).unlink()
            until(alive_file(settings).exists, what="a heartbeat during the outage", timeout=15)
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        rows.engine.dispose()
        rows.submit(rows.tenant(), deadline_seconds=-1.0, callback_url=sink.url)
        until(lambda: sink.received, timeout=30, what="the webhook")
        log = end_by(process, signal.SIGTERM)
    assert 0 == process.returncode
    assert "upkeep: the database does not answer" in log
    assert "upkeep: working again" in log
    assert "Traceback" not in log


@pytest.mark.long
def test_a_database_without_a_schema_does_not_kill_it(settings, rows):
    rows.execute(text("ALTER TABLE outbox RENAME TO away"))
    with cpu_process(settings) as process, WebhookReceiver() as sink:
        until(alive_file(settings).exists, 60, "the start")
        rows.execute(text("ALTER TABLE away RENAME TO outbox"))
        rows.submit(rows.tenant(), deadline_seconds=-1.0, callback_url=sink.url)
        until(lambda: sink.received, timeout=20, what="the webhook")
        assert process.poll() is None


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"secret_key": ""}, "ATELIER_SECRET_KEY"),
        ({"secret_key": "x" * 31}, "ATELIER_SECRET_KEY"),
        ({"broker_url": "amqp://broker"}, "ATELIER_BROKER_URL"),
        ({"allowed_networks": "10.0.0.0/33"}, "ATELIER_ALLOWED_NETWORKS"),
        ({"webhook_schedule": "soon"}, "ATELIER_WEBHOOK_SCHEDULE"),
        ({"storage_url": "ftp://x"}, "ATELIER_STORAGE_URL"),
        ({"log_level": "LOUD"}, "ATELIER_LOG_LEVEL"),
        ({"ca_bundle": "/not/there"}, "ATELIER_CA_BUNDLE"),
    ],
)
def test_a_wrong_setting_is_refused(wrong, named):
    with pytest.raises(ValueError, match=named):
        check(Settings(**{"secret_key": "a secret of the tests of 32 bytes", "storage_url": "file:///tmp/x"} | wrong))


@pytest.mark.long
def test_a_wrong_setting_ends_in_a_sentence():
    outcome = subprocess.run(
        [sys.executable, "-m", "workers.cpu.main"],
        env={"ATELIER_SECRET_KEY": "a secret of the tests of 32 bytes", "ATELIER_STORAGE_URL": "ftp://x"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 1 == outcome.returncode
    assert outcome.stderr.startswith("cpu worker: ")
    assert "ATELIER_STORAGE_URL" in outcome.stderr
    assert "Traceback" not in outcome.stderr
