"""`atelier usage` against a real API."""

import json

import pytest

from core.settings import Settings
from jobs.job import DeviceTime
from jobs.statements.queue import claimed
from jobs.statements.usage import roll_up
from tests.support.paths import CATALOG
from tests.support.service.api_server import api_server, make_key


@pytest.fixture
def usage(environment, rows, run, monkeypatch):
    """A function that runs `atelier usage` for a tenant with one completed job and one that was cancelled."""
    settings = Settings(
        database_url=environment["ATELIER_DATABASE_URL"],
        broker_url=environment["ATELIER_BROKER_URL"],
        storage_url=environment["ATELIER_STORAGE_URL"],
        secret_key=environment["ATELIER_SECRET_KEY"],
        catalog=str(CATALOG),
    )
    tenant = rows.tenant()
    done, cancelled = rows.submit(tenant), rows.submit(tenant)
    job = rows.claim(rows.server())
    assert done.id == job.id
    rows.set(job, price_usd=0.25)
    used = DeviceTime(gpu_seconds=75.0, load_seconds=0.5)
    rows.execute(claimed.commit(job.id, job.fence, artifacts=[], warnings=[], cost=0.0, used=used))
    rows.cancel(cancelled)
    rows.execute(roll_up())
    with api_server(settings) as api:
        monkeypatch.setenv("ATELIER_URL", api.url)
        monkeypatch.setenv("ATELIER_API_KEY", make_key(rows, settings, tenant))
        yield lambda *words, status=0: run("usage", *words, status=status)


def test_usage_is_a_table(usage):
    head, row = usage().stdout.splitlines()
    assert ["model", "completed", "failed", "cancelled"] == head.split()[:4]
    assert ["chaos", "1", "0", "1", "1", "min", "15", "s", "0.25"] == row.split()[:9]
    assert ["from", "model"] == usage("--step", "1d").stdout.split()[:2]
    assert ["completed", "failed"] == usage("--by", "none").stdout.split()[:2]


@pytest.mark.long
def test_usage_is_json_for_a_program(usage):
    (row,) = json.loads(usage("--json", "--by", "key", "--by", "model", "--since", "1h").stdout)
    assert ("chaos", 1, 75.0, 0.25) == (row["model"], row["completed"], row["gpu_seconds"], row["cost_usd"])


@pytest.mark.long
def test_what_the_api_refuses_of_usage_is_an_option(usage):
    assert "A report covers 400 days at most; choose a later `--since`." in usage("--since", "900d", status=1).output
    assert "The usage of other tenants is an operator's" in usage("--tenant", "other", status=1).output
