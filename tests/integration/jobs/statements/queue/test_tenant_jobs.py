"""Statements of the caller: look, list, cancel, delete."""

import pytest
from sqlalchemy import func, text

from jobs.job import ACTIVE, TERMINAL, JobStatus
from jobs.statements.queue import tenant_jobs
from tests.support.rows.plans import rows_read, scans


def test_a_job_is_visible_to_its_tenant_only(rows):
    job, stranger = rows.submit(rows.tenant()), rows.tenant("stranger")
    assert job == rows.change(tenant_jobs.visible(job.id, job.tenant))
    assert rows.change(tenant_jobs.visible(job.id, stranger)) is None
    assert rows.change(tenant_jobs.visible("job_unknown", job.tenant)) is None
    assert job == rows.change(tenant_jobs.by_id(job.id))


@pytest.mark.long
@pytest.mark.parametrize("status", JobStatus)
def test_an_unfinished_job_can_be_cancelled_by_its_tenant_only(rows, status):
    job = rows.submit(rows.tenant())
    rows.set(job, status=status)
    assert rows.change(tenant_jobs.cancel(job.id, rows.tenant("stranger"))) is None
    cancelled = rows.change(tenant_jobs.cancel(job.id, job.tenant))
    if status in TERMINAL:
        assert cancelled is None
        assert status == rows.job(job).status
    else:
        assert (JobStatus.CANCELLED, job.event_seq + 1) == (cancelled.status, cancelled.event_seq)
        assert cancelled.finished_at is not None


@pytest.mark.parametrize("status", JobStatus)
def test_a_deleted_job_is_gone_for_the_caller_and_scrubbed(rows, status):
    job = rows.submit(rows.tenant(), prompt="a secret prompt", callback_url="http://x/", server_id="gpu-1")
    rows.set(job, status=status, warnings=["w"], error={"code": "c", "message": "m"})
    assert rows.change(tenant_jobs.erase(job.id, rows.tenant("stranger"))) is None
    erased = rows.change(tenant_jobs.erase(job.id, job.tenant))
    assert (JobStatus.CANCELLED if status in ACTIVE else status) == erased.status
    assert ({}, (), (), None, None) == (
        erased.params,
        erased.artifacts,
        erased.warnings,
        erased.error,
        erased.callback_url,
    )
    for look in (
        tenant_jobs.visible(job.id, job.tenant),
        tenant_jobs.by_id(job.id),
        tenant_jobs.listing(job.tenant, limit=10),
        tenant_jobs.cancel(job.id, job.tenant),
        tenant_jobs.erase(job.id, job.tenant),
    ):
        assert [] == rows.execute(look)
    assert rows.claim(rows.server("gpu-1")) is None


def test_open_deliveries_of_a_job_can_be_removed(rows):
    kept = rows.submit(rows.tenant(), callback_url="http://x/")
    dropped = rows.submit(rows.tenant(), callback_url="http://x/")
    rows.cancel(kept)
    rows.cancel(dropped)
    rows.execute(tenant_jobs.forget_job_deliveries(dropped.id))
    assert [kept.id] == [delivery.job_id for delivery in rows.deliveries()]


class TestListing:
    def test_newest_first_in_pages_without_gaps(self, rows):
        tenant = rows.tenant()
        made = [rows.submit(tenant).id for _ in range(7)]
        seen, before = [], None
        while page := rows.execute(tenant_jobs.listing(tenant, limit=3, before=before)):
            assert len(page) <= 3
            seen += [row.id for row in page]
            before = (page[-1].created_at, page[-1].id)
        assert made[::-1] == seen

    def test_jobs_of_one_moment_are_paged_by_their_ids(self, rows):
        tenant = rows.tenant()
        made = [rows.submit(tenant) for _ in range(4)]
        for job in made:
            rows.set(job, created_at=made[0].created_at)
        first = rows.execute(tenant_jobs.listing(tenant, limit=2))
        rest = rows.execute(tenant_jobs.listing(tenant, limit=9, before=(first[-1].created_at, first[-1].id)))
        assert {job.id for job in made} == {row.id for row in [*first, *rest]}
        assert 4 == len(first) + len(rest)

    def test_filters(self, rows):
        tenant = rows.tenant()
        one, two = rows.submit(tenant, model="one"), rows.submit(tenant, model="two")
        rows.cancel(two)
        rows.submit(rows.tenant("stranger"), model="one")

        def ids(**wanted):
            return [row.id for row in rows.execute(tenant_jobs.listing(tenant, limit=10, **wanted))]

        assert [two.id, one.id] == ids() == ids(modality="image")
        assert [] == ids(modality="video")
        assert [one.id] == ids(model="one") == ids(status=JobStatus.QUEUED)
        assert [two.id] == ids(status=JobStatus.CANCELLED) == ids(model="two", status=JobStatus.CANCELLED)


class TestListingPlans:
    """A page is read from an index, however many other jobs the tenant has."""

    @pytest.fixture
    def tenant(self, rows):
        tenant = rows.tenant()
        rows.execute(
            text("""
                INSERT INTO jobs (id, tenant, modality, model, params, status, max_attempts, priority, deadline_at,
                                  created_at, finished_at)
                SELECT 'job_' || number, :tenant, 'image', 'one', '{}', 'completed', 3, 5, now(),
                       now() - make_interval(secs => number), now()
                FROM generate_series(1, 5000) AS number
            """).bindparams(tenant=tenant)
        )
        odd = {"status": "failed", "model": "two", "modality": "video"}
        for age, column in enumerate(odd):
            job = rows.submit(tenant)
            then = func.now() - text(f"interval '{10 + age} hours'")
            rows.set(job, created_at=then, **({"status": "completed", "model": "one"} | {column: odd[column]}))
        rows.execute(text("ANALYZE jobs"))
        return tenant

    @pytest.mark.matrix
    @pytest.mark.parametrize(
        "wanted", [{"status": JobStatus.FAILED}, {"model": "two"}, {"modality": "video"}, {"model": "nonsense"}, {}]
    )
    def test_a_filter_reads_what_it_returns(self, rows, tenant, wanted):
        statement = tenant_jobs.listing(tenant, limit=20, **wanted)
        found = len(rows.execute(statement))
        assert (20 if not wanted else 0 if wanted.get("model") == "nonsense" else 1) == found
        (scan,) = scans(rows.engine, statement)
        assert "Index" in scan["Node Type"]
        assert rows_read(scan) <= found
