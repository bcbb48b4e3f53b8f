"""The newest jobs of a model: which of them, with what, and how few rows are read."""

import pytest
from sqlalchemy import func, text

from core.ids import new_id
from jobs.job import DeviceTime
from jobs.statements.estimates.history import NEWEST, OF_PACE, ended_job, newest_jobs, pace_of, paces
from jobs.statements.queue import claimed
from tests.support.rows.plans import rows_read, scans

FILL = """
INSERT INTO jobs (id, tenant, modality, model, params, status, fence, max_attempts, priority, deadline_at, started_at,
                  finished_at, worker)
SELECT :prefix || number, :tenant, 'image', :model, '{"width": 512, "prompt": "a red circle"}', 'completed', 1, 3, 5,
    now(), now() - make_interval(secs => number + 2), now() - make_interval(secs => number), 'gpu-1'
FROM generate_series(1, :count) AS number
"""


def fill(rows, tenant, model, count):
    made = {"prefix": new_id("job"), "tenant": tenant, "model": model, "count": count}
    rows.execute(text(FILL).bindparams(**made))


def end(rows, claimant, took, load=0.0, **params):
    rows.submit(rows.tenant(), **params)
    job = rows.claim(claimant)
    used = DeviceTime(gpu_seconds=took - load, load_seconds=load)
    rows.change(claimed.commit(job.id, job.fence, artifacts=[], warnings=[], cost=0.0, used=used))
    rows.set(job, started_at=func.now(), finished_at=func.now() + text(f"interval '{took} seconds'"))
    return job


def test_an_ended_job_has_its_times_its_device_and_its_fields(rows):
    end(rows, rows.server(), 9.0, load=5.0, width=512, negative_prompt="blue")
    (found,) = map(ended_job, rows.execute(newest_jobs("chaos")))
    assert (9.0, 5.0, 4.0, "cpu", 0) == (
        *(found.took, found.load_seconds, found.run_seconds),
        *(found.device, found.characters),
    )
    assert 512 == found.params["width"]
    assert not {"prompt", "negative_prompt"} & found.params.keys()
    assert 0 <= found.intake < 60


def test_jobs_that_were_claimed_again_or_failed_are_left_out(rows):
    claimant = rows.server()
    again = end(rows, claimant, 3.0)
    rows.set(again, fence=2)
    rows.set(end(rows, claimant, 4.0), status="failed")
    kept = end(rows, claimant, 5.0)
    rows.set(kept, worker="gone")
    assert [(5.0, None)] == [(found.took, found.device) for found in map(ended_job, rows.execute(newest_jobs("chaos")))]


def test_a_pace_is_that_of_the_last_jobs_of_each_model(rows):
    claimant = rows.server()
    for seconds in (1.0, 2.0, 30.0):
        end(rows, claimant, seconds)
    found = {pace.model: (pace.p50, pace.p95) for pace in map(pace_of, rows.execute(paces(["chaos", "other"])))}
    assert {"chaos": (2.0, pytest.approx(27.2)), "other": (None, None)} == found


@pytest.mark.matrix
@pytest.mark.parametrize("statistics", ["none", "present"])
def test_a_long_history_is_not_read(rows, statistics):
    tenant = rows.tenant()
    for model, count in (("chaos", 4000), ("other", 4000), ("rare", 10)):
        fill(rows, tenant, model, count)
    if statistics == "present":
        rows.execute(text("ANALYZE jobs"))
    for model, most in (("chaos", NEWEST), ("rare", 10)):
        found = scans(rows.engine, newest_jobs(model))
        assert most == sum(map(rows_read, found)), found
    found = scans(rows.engine, paces(["chaos", "other", "rare"]))
    assert 2 * OF_PACE + 10 == round(sum(map(rows_read, found))), found
