"""/usage/v1: what jobs have taken and cost, as JSON and as CSV; and budgets of keys."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from jobs.job import DeviceTime
from jobs.statements.queue import claimed
from jobs.statements.usage import roll_up
from tests.support.service.api_server import make_key

ROUTE, KEYS = "/usage/v1", "/keys/v1"


@pytest.fixture
def ended(client, rows, server, create):
    """Two jobs of the client's key that are completed, and one that is cancelled."""
    for _ in range(2):
        create()
        job = rows.claim(server)
        rows.set(job, price_usd=0.25)
        used = DeviceTime(gpu_seconds=1.5, load_seconds=0.5)
        rows.execute(claimed.commit(job.id, job.fence, artifacts=[], warnings=[], cost=0.0, used=used))
    client.post(f"/jobs/v1/{create()}/cancel")
    rows.execute(roll_up())


@pytest.mark.contract("F28")
def test_usage_by_key_tenant_model_and_day(client, ended, admin, tenant):
    me = client.get("/me/v1").json()
    answer = client.get(ROUTE, params={"by": ["key", "model"]}).json()
    (row,) = answer["usage"]
    assert (me["key_id"], "chaos", None, None) == (row["key_id"], row["model"], row["tenant_id"], row["server_id"])
    counted = ("completed", "failed", "cancelled", "gpu_seconds", "load_seconds", "cost_usd", "credits")
    assert (2, 0, 1, 3.0, 1.0, 0.5, 50.0) == tuple(row[name] for name in counted)
    assert row["since"].endswith("T00:00:00Z"), "the beginning of a day"
    assert row["run_p95_seconds"] <= 10.0
    (of_tenant,) = admin.get(ROUTE, params={"by": "tenant", "tenant": "*"}).json()["usage"]
    assert (tenant, 2) == (of_tenant["tenant_id"], of_tenant["completed"])
    assert [] == admin.get(ROUTE).json()["usage"]
    assert 2 == admin.get(ROUTE, params={"tenant": "studio", "step": "all"}).json()["usage"][0]["completed"]


def test_usage_as_csv(client, ended):
    answer = client.get(ROUTE, params={"format": "csv", "by": "model"})
    assert "text/csv; charset=utf-8" == answer.headers["Content-Type"]
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert ("chaos", "2", "3.0", "0.5") == (row["model"], row["completed"], row["gpu_seconds"], row["cost_usd"])


@pytest.mark.parametrize("step", ["5m", "1h", "1d", "all"])
def test_nothing_used_is_no_row(client, step):
    assert [] == client.get(ROUTE, params={"step": step}).json()["usage"]
    assert [] == client.get(ROUTE, params={"step": step, "by": "model"}).json()["usage"]


def test_usage_of_a_time(client, ended):
    now = datetime.now(UTC)
    before = {"from": (now - timedelta(days=3)).isoformat(), "to": (now - timedelta(days=2)).isoformat()}
    assert [] == client.get(ROUTE, params=before).json()["usage"]
    shown = client.get(ROUTE, params={"from": (now - timedelta(hours=1)).isoformat(), "step": "5m"}).json()["usage"]
    assert 3 == sum(row["completed"] + row["cancelled"] for row in shown)


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"from": "2026-01-31T00:00:00"}, "invalid_request", "query.from"),
        ({"from": "2026-01-31T00:00:00Z", "to": "2026-01-30T00:00:00Z"}, "out_of_range", "query.from"),
        ({"by": "color"}, "out_of_range", "query.by"),
        ({"step": "1y"}, "out_of_range", "query.step"),
    ],
)
def test_a_wrong_parameter_is_named(client, wrong, code, field):
    answer = client.get(ROUTE, params=wrong)
    assert (422, code, field) == (answer.status_code, answer.json()["code"], answer.json()["field"])


def test_usage_of_others_is_an_operators(client, stranger, ended):
    assert [] == stranger.get(ROUTE).json()["usage"]
    for name in ("another", "*", "nowhere"):
        assert (403, "not_entitled") == (
            (answer := client.get(ROUTE, params={"tenant": name})).status_code,
            answer.json()["code"],
        )


@pytest.mark.contract("F23")
def test_a_key_has_a_budget_of_its_own(api, rows, tenant, all_models):
    picture = {"prompt": "a", "model": "chaos-edit"}  # 0.01
    with api.client(make_key(rows, api.settings, tenant, scopes=["write", "keys:write"])) as owner:
        made = owner.post(KEYS, json={"name": "a", "budget_usd": 0.02}).json()
        with api.client(made["key"]) as client:
            jobs = [client.post("/generate/image/v1", json=picture).json()["job_id"] for _ in range(2)]
            assert 0.0 == client.get(f"/jobs/v1/{jobs[0]}").json()["balance_remaining_usd"]
            refused = client.post("/generate/image/v1", json=picture)
            assert (402, "budget_exhausted") == (refused.status_code, refused.json()["code"])
            assert "of this key" in refused.json()["detail"]
            me = client.get("/me/v1").json()
            shown = ("key_budget_usd", "key_reserved_usd", "balance_remaining_usd", "reserved_usd")
            assert (0.02, 0.02, 0.0, 0.02) == tuple(me[name] for name in shown)
            whale = client.post("/imagepipeline/generate/image/v1", json=picture)
            assert 402 == whale.status_code
            changed = owner.patch(f"{KEYS}/{made['key_id']}", json={"budget_usd": None}).json()
            assert (None, 0.02, "a") == (changed["budget_usd"], changed["reserved_usd"], changed["name"])
            assert 202 == client.post("/generate/image/v1", json=picture).status_code
        assert owner.get("/jobs/v1").json()["jobs"][0]["balance_remaining_usd"] is None


def test_a_job_says_what_it_took_and_cost(client, ended):
    jobs = client.get("/jobs/v1", params={"status": "completed"}).json()["jobs"]
    shown = ("price_usd", "cost_usd", "credits", "gpu_seconds", "load_seconds")
    assert (0.25, 0.25, 25.0, 1.5, 0.5) == tuple(jobs[0][name] for name in shown)
