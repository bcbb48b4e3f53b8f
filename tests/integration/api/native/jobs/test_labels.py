"""Labels of jobs: echoed in the status, in lists and in webhooks, filtered by, and within their limits."""

import msgspec
import pytest
from sqlalchemy import text

from jobs.job import job_from_row
from jobs.schema.tables import jobs
from jobs.statements.queue.tenant_jobs import listing
from jobs.wire.status import QueueEstimate, status_answer
from jobs.wire.webhooks import WebhookEvent
from tests.support.rows.plans import rows_read, scans

LABELS = {"season": "spring", "shop": "eu"}


@pytest.mark.contract("F7")
def test_labels_are_echoed_and_filtered_by(client, create, rows, settings):
    first = create(labels=LABELS)
    second = create(labels={"season": "autumn"})
    third = create()
    assert LABELS == client.get(f"/jobs/v1/{first}").json()["labels"]
    assert [{}, {"season": "autumn"}, LABELS] == [job["labels"] for job in client.get("/jobs/v1").json()["jobs"]]

    def found(*labels):
        return [job["job_id"] for job in client.get("/jobs/v1", params={"label": labels}).json()["jobs"]]

    assert ([first], [second], [first], []) == (
        found("season:spring"),
        found("season:autumn"),
        found("season:spring", "shop:eu"),
        found("season:spring", "shop:us"),
    )
    assert [third, second, first] == found()
    (row,) = rows.execute(jobs.select().where(jobs.c.id == first))
    job = job_from_row(row)
    event = WebhookEvent("job.completed", job.created_at, status_answer(job, settings, QueueEstimate()))
    assert LABELS == msgspec.json.decode(msgspec.json.encode(event))["data"]["labels"]
    client.delete(f"/jobs/v1/{first}")
    assert [] == found("season:spring")


@pytest.mark.parametrize(
    "labels",
    [
        {str(number): "a" for number in range(17)},
        {"": "a"},
        {"a:b": "c"},
        {"a" * 64: "b"},
        {"a": "b" * 257},
    ],
)
def test_labels_have_limits(client, server, rows, labels):
    answer = client.post("/generate/image/v1", json={"prompt": "a red circle", "labels": labels})
    assert (422, "out_of_range") == (answer.status_code, answer.json()["code"])
    assert answer.json()["field"].startswith("$.labels")
    assert [] == rows.execute(jobs.select())


@pytest.mark.parametrize("label", ["season", ":spring", ""])
def test_a_filter_without_a_colon_is_refused(client, label):
    for path in ("/jobs/v1", "/media/v1"):
        answer = client.get(path, params={"label": label})
        assert (422, "query.label") == (answer.status_code, answer.json()["field"])


@pytest.mark.long
def test_a_label_is_found_among_many_jobs(rows, tenant):
    rows.submit(tenant, labels=LABELS)
    copy = text("""
        INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at,
                          labels, created_at)
        SELECT 'job_' || n, tenant, modality, model, params, 'completed', 1, 5, deadline_at,
            CASE WHEN n % 2 = 0 THEN '{"season": "autumn"}' ELSE '{}' END::jsonb, now() + n * interval '1 s'
        FROM jobs, generate_series(1, 4000) AS n
    """)
    rows.execute(copy)
    with rows.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE jobs"))
    for labels, number in ((LABELS, 1), ({"season": "autumn"}, 20)):
        statement = listing(tenant, limit=20, labels=labels)
        assert number == len(rows.execute(statement))
        read = scans(rows.engine, statement)
        assert sum(map(rows_read, read)) < 200, read
