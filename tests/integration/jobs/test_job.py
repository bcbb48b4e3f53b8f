"""A job read from its row."""

from datetime import UTC

import pytest
from sqlalchemy import func, text

from jobs.job import JobStatus, job_from_row
from jobs.schema.tables import jobs


def test_a_row_becomes_a_job(rows):
    job = rows.submit(rows.tenant(), width=64, height=64, priority=7, callback_url="http://x/", server_id="gpu-1")
    assert (JobStatus.QUEUED, 0, 0, 3, 7) == (job.status, job.fence, job.attempt, job.max_attempts, job.priority)
    assert ("image", "chaos", "gpu-1", "http://x/", 7) == (
        job.modality,
        job.model,
        job.server_id,
        job.callback_url,
        job.seed,
    )
    assert (64, 64, "a red circle") == (
        job.read_params().width,
        job.read_params().height,
        job.read_params().prompt,
    )
    assert job.created_at <= job.queued_at <= job.deadline_at
    assert 3600 == pytest.approx((job.deadline_at - job.created_at).total_seconds(), abs=1)


def test_a_column_of_a_newer_version_does_no_harm(rows):
    job = rows.submit(rows.tenant())
    rows.execute(text("ALTER TABLE jobs ADD COLUMN mood text DEFAULT 'good'"))
    rows.set(job, params=func.jsonb_set(jobs.c.params, ["mood"], text("""'"good"'::jsonb""")))
    row = rows.execute(text("SELECT * FROM jobs"))[0]
    assert "good" == row.mood
    assert "a red circle" == job_from_row(row).read_params().prompt


def test_times_are_utc_whatever_the_database_prefers(rows):
    rows.execute(
        text("""DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO ''Asia/Tokyo''',
                        current_database()); END $$""")
    )
    rows.engine.dispose()
    assert "Asia/Tokyo" == rows.scalar(text("SELECT current_setting('timezone')"))
    job = rows.submit(rows.tenant())
    assert UTC == job.created_at.tzinfo
    assert 0 == job.deadline_at.utcoffset().total_seconds()
