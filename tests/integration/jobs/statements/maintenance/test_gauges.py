"""The statement behind the API's gauges."""

from datetime import UTC, datetime, timedelta

import pytest

from core.ids import new_id
from jobs.schema.tables import outbox, servers, webhook_receivers
from jobs.statements import servers as fleet
from jobs.statements.maintenance.gauges import gauges
from jobs.statements.maintenance.growth import measure
from tests.support.rows.rows import ARTIFACT


def ago(seconds):
    return datetime.now(UTC) - timedelta(seconds=seconds)


def seen(rows, what):
    return {(row.model, row.state): row.number for row in rows.execute(gauges()) if row.what == what}


def oldest(rows, what, model=None, state=None):
    found = [row for row in rows.execute(gauges()) if (row.what, row.model, row.state) == (what, model, state)]
    return found[0].oldest


def test_an_empty_service_has_no_jobs_nothing_due_and_no_server(rows):
    assert {} == seen(rows, "jobs")
    assert {(None, None): 0} == seen(rows, "webhooks")
    assert 0.0 == oldest(rows, "webhooks")
    assert {} == seen(rows, "servers")


def test_unfinished_jobs_are_counted_by_model_and_state(rows):
    tenant, server = rows.tenant(), rows.server()
    done, running = rows.submit(tenant), rows.submit(tenant)
    rows.claim(server)
    rows.complete(rows.claim(server), ARTIFACT)
    rows.submit(tenant, model="chaos-two")
    rows.pending(tenant, "http://one.example/a.png")
    assert {("chaos", "processing"): 1, ("chaos-two", "queued"): 1, ("chaos", "pending"): 1} == seen(rows, "jobs")
    assert {"completed", "processing"} == {rows.job(job).status for job in (done, running)}


def test_the_age_is_that_of_the_oldest_queued_job(rows):
    tenant = rows.tenant()
    for seconds in (30, 100):
        rows.set(rows.submit(tenant), queued_at=ago(seconds))
    rows.set(rows.pending(tenant, "http://one.example/a.png"), created_at=ago(1000))
    assert pytest.approx(100, abs=20) == oldest(rows, "jobs", "chaos", "queued")
    assert 0.0 == oldest(rows, "jobs", "chaos", "pending")


def test_webhooks_count_while_they_are_due_and_not_leased(rows):
    tenant = rows.tenant()

    def put(url="http://one.example/hook", **columns):
        row = {"id": new_id("msg"), "job_id": new_id("job"), "event_seq": 2, "type": "job.completed"}
        rows.execute(outbox.insert().values(**row, tenant=tenant, url=url, **columns))

    put(available_at=ago(50))
    put(available_at=ago(500), lease_until=ago(400))  # its worker was lost
    put(available_at=ago(-100))
    put(available_at=ago(900), lease_until=ago(-100))
    for end in ("delivered_at", "given_up_at", "superseded_at"):
        put(available_at=ago(900), **{end: ago(1)})
    assert {(None, None): 2} == seen(rows, "webhooks")
    assert pytest.approx(500, abs=20) == oldest(rows, "webhooks")


def test_webhooks_to_a_host_that_is_left_alone_are_not_late(rows):
    tenant = rows.tenant()
    for host, with_port, open_until in (
        ("down.example", "down.example:80", ago(-100)),
        ("up.example:8080", "up.example:8080", ago(100)),
    ):
        row = {"id": new_id("msg"), "job_id": new_id("job"), "event_seq": 2, "type": "job.completed"}
        url = f"http://{host}/hook"
        rows.execute(outbox.insert().values(**row, tenant=tenant, url=url, available_at=ago(50)))
        failures = {"failures": 20, "failed_at": ago(200), "open_until": open_until}
        rows.execute(webhook_receivers.insert().values(tenant=tenant, origin=f"http://{with_port}", **failures))
    assert {(None, None): 1} == seen(rows, "webhooks")


def test_a_server_is_what_it_says_while_it_lives(rows):
    for name in ("a", "b", "c", "d"):
        rows.server(name)
    rows.execute(servers.update().values(state="idle"))
    rows.execute(servers.update().where(servers.c.server_id == "a").values(state="busy"))
    rows.execute(servers.update().where(servers.c.server_id == "b").values(lease_until=ago(1)))
    rows.execute(fleet.desire("c", "cordoned"))
    assert {(None, "busy"): 1, (None, "offline"): 1, (None, "cordoned"): 1, (None, "idle"): 1} == seen(rows, "servers")
    rows.execute(fleet.remove("b", force=False))
    assert (None, "offline") not in seen(rows, "servers")


def test_what_is_stored_is_database_and_last_measurement(rows):
    assert {(None, None)} == set(seen(rows, "stored"))
    assert seen(rows, "stored")[None, None] > 1_000_000
    rows.execute(measure())
    kinds = "outputs", "previews", "inputs", "uploads", "voices", "media", "files"
    assert {(None, None), *((kind, None) for kind in kinds)} == set(seen(rows, "stored"))


def test_a_model_is_served_by_the_living(rows):
    rows.execute(servers.update().values(serves=["chaos"]))
    assert {} == seen(rows, "served")
    for number in range(2):
        rows.server(f"gpu-{number}")
    rows.execute(servers.update().values(serves=["chaos"]))
    rows.execute(servers.update().where(servers.c.server_id == "gpu-1").values(serves=["chaos", "chaos-two"]))
    assert {("chaos", None): 2, ("chaos-two", None): 1} == seen(rows, "served")
    rows.execute(servers.update().where(servers.c.server_id == "gpu-1").values(lease_until=ago(1)))
    assert {("chaos", None): 1} == seen(rows, "served")
