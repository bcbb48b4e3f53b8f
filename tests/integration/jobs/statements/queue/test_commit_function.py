"""The commit as a function: it does what the statement does, and its plan outlives empty tables."""

import pytest
from sqlalchemy import text

from jobs.job import JobStatus
from jobs.statements.queue import commit_function
from tests.support.rows.plans import rows_read, scans_of_function
from tests.support.rows.rows import ARTIFACT

RUNNING = text("""
    UPDATE jobs SET status = 'processing', fence = 1, attempt = 1, started_at = now(),
        lease_until = now() + interval '1 minute'
""")


def call(job, fence=None):
    fence = job.fence if fence is None else fence
    return commit_function.call(job.id, fence, artifacts=[ARTIFACT], warnings=["a"], cost=0.5)


def test_it_completes_the_job_and_announces_it(rows):
    rows.submit(rows.tenant(), callback_url="http://one.example/")
    claimed = rows.claim(rows.server())
    done = rows.change(call(claimed))
    assert (JobStatus.COMPLETED, (ARTIFACT,), ("a",), True) == (
        done.status,
        done.artifacts,
        done.warnings,
        done.announced,
    )
    assert ["job.completed"] == [row.type for row in rows.deliveries()]
    assert rows.change(call(claimed)) is None


def test_a_stale_fence_changes_nothing(rows):
    rows.submit(rows.tenant())
    claimed = rows.claim(rows.server())
    assert rows.change(call(claimed, fence=claimed.fence - 1)) is None
    assert JobStatus.PROCESSING is rows.job(claimed).status


@pytest.mark.long
def test_the_plan_of_empty_tables_serves_many_running_jobs(rows):
    arguments = {"job": "", "fence": 1, "artifacts": "[]", "warnings": "[]", "run": None}
    arguments |= {"cost": 0.0, "metered": None, "gpu": 0.0, "load": 0.0, "held": "processing"}

    def fill():
        made = [rows.submit(rows.tenant(f"tenant {number}")) for number in range(60)]
        rows.execute(RUNNING)
        return arguments | {"job": made[30].id}

    function = commit_function.commit_function()
    found = scans_of_function(rows.engine, function, arguments, fill, "jobs", "tenants", "webhooks")
    assert [] == [scan for scan in found if scan["Node Type"] == "Seq Scan"]
    assert 1 <= sum(map(rows_read, found)) <= 4
