"""`atelier servers` against a real API and, for commands, a real Celery worker."""

import json
import os
import re
import threading

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from cli.main import atelier
from core.database import sync_engine
from core.settings import Settings
from jobs.scopes import ADMIN
from jobs.statements import servers
from jobs.wire.servers import ResidentModel, ServerFacts
from tests.support.paths import CATALOG
from tests.support.rows.rows import Rows
from tests.support.service.api_server import api_server, make_key
from tests.support.service.command_recorder import SERVES, command_recorder, orders
from tests.support.wait import until

MODELS = (
    ResidentModel(id="chaos", bytes=3_000_000_000, where="device", pinned=True),
    ResidentModel(id="chaos-two", bytes=500_000_000, where="host", warnings=("computes on the CPU: …",)),
)


@pytest.fixture(scope="module")
def settings(module_database_url, valkey, tmp_path_factory):
    objects = tmp_path_factory.mktemp("objects")
    return Settings(
        database_url=module_database_url,
        broker_url=valkey,
        storage_url=f"file://{objects}",
        secret_key="a secret of the tests of 32 bytes",
        catalog=str(CATALOG),
    )


@pytest.fixture(scope="module")
def api(settings):
    with api_server(settings) as server:
        yield server


@pytest.fixture
def rows(settings, broker_url):
    db = sync_engine(settings)
    rows = Rows(db)
    rows.execute(text("TRUNCATE tenants, servers CASCADE"))
    yield rows
    db.dispose()


@pytest.fixture
def run(api, rows, monkeypatch):
    """A function that runs `atelier servers` with an admin key and returns its output."""
    monkeypatch.setenv("ATELIER_URL", api.url)
    monkeypatch.setenv("ATELIER_API_KEY", make_key(rows, api.settings, rows.tenant(), scopes=[ADMIN]))

    def invoke(*words: str, status: int = 0) -> str:
        outcome = CliRunner().invoke(atelier, ["servers", *words])
        assert status == outcome.exit_code, outcome.output
        return outcome.output

    return invoke


@pytest.fixture
def server(rows):
    """A running server with two models in memory."""
    claimant = rows.server("gpu-1", serves=SERVES)
    beat(rows, claimant)
    return claimant


def beat(rows, claimant, state="idle", **facts):
    reported = ServerFacts(
        state=state,
        device="Tesla T4",
        memory_total=16_000_000_000,
        memory_used=3_000_000_000,
        serves=SERVES,
        models=MODELS,
        dedicated=True,
        **facts,
    )
    rows.execute(servers.heartbeat(claimant.server_id, claimant.incarnation, reported, lease_seconds=600))


def test_the_list_shows_state_memory_and_models(run, rows, server):
    rows.execute(servers.desire("gpu-1", "cordoned"))
    rows.server("gone", lease_seconds=-1)
    lines = run().splitlines()
    assert ["gone", "offline"] == lines[1].split()[:2]
    for words in (
        "idle, cordoned, dedicated",
        "Tesla T4",
        "3.0 of 16.0 GB",
        "chaos 3.0 GB, pinned, chaos-two 0.5 GB on the host",
    ):
        assert words in lines[2]
    *listed, stored = run("list").splitlines()[1:]
    assert ["gone", "gpu-1"] == [line.split()[0] for line in listed]
    assert stored.startswith("stored: database ")
    assert ["gone", "gpu-1"] == [server["server_id"] for server in json.loads(run("--json"))]


def test_show_has_all_facts_about_a_server(run, rows, server):
    beat(rows, server, state="busy", current_job="job_" + 32 * "a", versions={"torch": "2.13"})
    shown = run("show", "gpu-1")
    for words in (
        "busy, dedicated",
        "job_" + 32 * "a",
        "chaos 3.0 GB, pinned",
        "torch 2.13",
        "chaos-two computes on the CPU",
    ):
        assert words in shown
    assert "busy" == json.loads(run("show", "gpu-1", "--json"))["state"]
    assert "[unknown_server]" in run("show", "a b?", status=1)


def test_cordon_uncordon_and_drain_print_the_state(run, server):
    assert "gpu-1: idle, cordoned, dedicated" == run("cordon", "gpu-1").strip()
    assert "gpu-1: idle, dedicated" == run("uncordon", "gpu-1").strip()


@pytest.mark.parametrize(
    ("order", "desired", "before", "after"),
    [("drain", "draining", "idle", "drained"), ("uncordon", "active", "drained", "idle")],
)
def test_the_printed_state_is_that_after_the_order(run, rows, server, order, desired, before, after):
    rows.execute(servers.desire("gpu-1", "draining" if desired == "active" else "active"))
    beat(rows, server, state=before)

    def follow() -> None:
        until(lambda: rows.execute(servers.server("gpu-1"))[0].desired == desired)
        beat(rows, server, state=after)

    worker = threading.Thread(target=follow)
    worker.start()
    assert f"gpu-1: {after}, dedicated" == run(order, "gpu-1").strip()
    worker.join()


def test_an_order_that_is_not_followed_yet_is_said(run, rows, server, monkeypatch):
    monkeypatch.setattr("cli.http.progress.FOLLOWED_SECONDS", 0.2)
    printed = run("drain", "gpu-1")
    assert re.match(r"gpu-1: ordered: draining; its last report, \d s ago, still says idle\. ", printed)


def test_an_absent_server_is_not_waited_for(run, rows, monkeypatch):
    rows.server("gone", lease_seconds=-1)
    monkeypatch.setattr("cli.http.progress.FOLLOWED_SECONDS", 60.0)
    assert "gone: offline, draining" == run("drain", "gone").strip()


def test_drain_waits_until_the_last_job_has_ended(run, rows, server):
    beat(rows, server, state="busy", current_job="job_" + 32 * "a")

    def work() -> None:
        until(lambda: rows.execute(servers.server("gpu-1"))[0].desired == "draining")
        beat(rows, server, state="drained")

    worker = threading.Thread(target=work)
    worker.start()
    assert "gpu-1: drained, dedicated" == run("drain", "gpu-1", "--wait").splitlines()[-1]
    worker.join()


def test_orders_reach_the_worker(run, settings, server):
    with command_recorder(settings, "gpu-1", dict(os.environ)):
        assert "gpu-1 loads chaos." == run("preload", "gpu-1", "chaos", "--pin").strip()
        assert "gpu-1 unloads chaos." == run("unload", "gpu-1", "chaos").strip()
        assert "gpu-1 unloads every model." == run("unload", "gpu-1").strip()
        assert "gpu-1 starts a fresh engine." == run("recycle", "gpu-1").strip()
        assert [["preload", "chaos", True], ["unload", "chaos"], ["unload", None], ["recycle"]] == orders(settings)
        assert "every other model is pinned. [order_refused]" in run("preload", "gpu-1", "chaos-two", status=1)


def test_remove_needs_force_while_jobs_wait(run, rows, server):
    assert "[server_alive]" in run("remove", "gpu-1", status=1)
    rows.server("gone", lease_seconds=-1)
    rows.submit(rows.tenant(), server_id="gone")
    assert "1 waiting job(s) are pinned to this server" in run("remove", "gone", status=1)
    assert "gone is removed" in run("remove", "gone", "--force")
    assert "gone" not in run()


def test_a_key_without_the_admin_scope_is_refused(run, rows, api, server, monkeypatch):
    monkeypatch.setenv("ATELIER_API_KEY", make_key(rows, api.settings, rows.tenant()))
    refused = " ".join(run("cordon", "gpu-1", status=1).replace("│", " ").split())
    assert "use a key with `servers:write` or `admin`." in refused
    assert "[forbidden]" in refused
    assert "gpu-1" in run()
