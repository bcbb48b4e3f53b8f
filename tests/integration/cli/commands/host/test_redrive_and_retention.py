"""`atelier jobs redrive` and `atelier retention` against a real database and a real broker."""

from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import func, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB

from jobs.doorbell import model_queue
from jobs.job import JobStatus, job_from_row
from jobs.schema.tables import inputs, jobs
from jobs.statements.api_keys import set_budget
from jobs.statements.media import input_removal


class TestRedrive:
    """The redrive of failed jobs."""

    @pytest.fixture
    def failed(self, rows):
        """A function that makes a job which failed with a code."""

        def failed(code="attempts_exhausted", tenant="shop", *urls):
            owner = rows.tenant(tenant)
            job = rows.pending(owner, *urls) if urls else rows.submit(owner, prompt="a red fox")
            rows.set(
                job,
                status="failed",
                finished_at=func.now(),
                error=literal({"code": code, "message": "It failed."}, JSONB),
                fence=3,
                attempt=3,
            )
            return rows.job(job)

        return failed

    def new_job(self, rows, job):
        """Return the new job of a failed one."""
        (row,) = rows.execute(jobs.select().where(jobs.c.redrive_of == job.id))
        return job_from_row(row)

    def test_failures_of_the_service_are_redriven_as_new_jobs(self, run, rows, failed, broker_url):
        dead, own_fault = failed(), failed("pipeline_failed")
        output = run("jobs", "redrive").stdout.split()
        new = self.new_job(rows, dead)
        assert [dead.id, new.id] == output
        assert (JobStatus.QUEUED, dead.params, dead.tenant) == (new.status, new.params, new.tenant)
        assert (0, 0, dead.deadline_at - dead.created_at) == (
            new.attempt,
            new.fence,
            pytest.approx(new.deadline_at - new.created_at, abs=timedelta(seconds=1)),
        )
        assert (JobStatus.FAILED, new.id) == (rows.job(dead).status, rows.job(dead).redriven_as)
        assert own_fault == rows.job(own_fault)
        assert 1 == Redis.from_url(broker_url).llen(model_queue(new.model))

    def test_a_job_goes_to_a_server_that_writes_prompts(self, run, rows, failed):
        job = failed()
        model = "demo-shapes"
        rows.set(job, model=model, server_id="gone", params=literal({**job.params, "enhance_prompt": True}, JSONB))
        assert "no running server has its model and what it needs beside it" in run("jobs", "redrive").stdout
        rows.server("plain", serves=(model,))
        rows.server("new", serves=(model, "demo-smollm2"))
        run("jobs", "redrive")
        assert "new" == self.new_job(rows, job).server_id

    def test_a_new_job_stays_in_the_trace_of_the_failed_one(self, run, rows, failed):
        parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        job = failed()
        rows.set(job, traceparent=parent)
        run("jobs", "redrive")
        assert parent == self.new_job(rows, job).traceparent

    def test_a_second_redrive_changes_nothing(self, run, rows, failed):
        dead = failed()
        run("jobs", "redrive")
        assert "" == run("jobs", "redrive").stdout
        assert dead.id in run("jobs", "redrive", dead.id, status=1).output
        assert 2 == rows.scalar(select(func.count()).select_from(jobs))

    @pytest.mark.long
    def test_jobs_are_selected_by_id_code_tenant_and_time(self, run, rows, failed):
        pipeline_failed, theirs, old = failed("pipeline_failed"), failed(tenant="other"), failed()
        rows.set(old, finished_at=func.now() - text("interval '2 days'"))
        assert theirs.id == run("jobs", "redrive", "--tenant", "other").stdout.split()[0]
        assert pipeline_failed.id == run("jobs", "redrive", "--code", "pipeline_failed").stdout.split()[0]
        assert "" == run("jobs", "redrive").stdout
        assert old.id == run("jobs", "redrive", "--since", "3d").stdout.split()[0]
        again = failed("pipeline_failed")
        assert again.id == run("jobs", "redrive", again.id).stdout.split()[0]

    def test_a_dry_run_only_lists_the_jobs(self, run, rows, failed):
        dead = failed()
        listed = run("jobs", "redrive", "--dry-run").stdout
        assert dead.id in listed
        assert "attempts_exhausted" in listed
        assert dead == rows.job(dead)

    def test_inputs_are_clean_copies_or_fetched_again(self, run, rows, failed):
        dead = failed("attempts_exhausted", "shop", "http://one.example/a.png", "http://one.example/b.png")
        rows.execute(
            inputs.update().where(inputs.c.name == "reference_images.0").values(status="ready", key="ten/old/a.png")
        )
        run("jobs", "redrive")
        new = self.new_job(rows, dead)
        assert JobStatus.PENDING == new.status
        assert [(None, "ten/old/a.png", ""), ("http://one.example/b.png", None, "one.example")] == [
            (row.url, row.source_key, row.host) for row in rows.inputs(new)
        ]
        rows.set(dead, finished_at=func.now() - text("interval '2 hours'"))
        assert [] == rows.execute(input_removal.finished(3600.0))

    def test_a_budget_bounds_redrives_too(self, run, rows, failed):
        first, second = failed(), failed()
        for job in (first, second):
            rows.set(job, price_usd=0.03)
        rows.execute(set_budget(first.tenant, 0.05))
        redriven, refused = run("jobs", "redrive").stdout.splitlines()
        assert f"{first.id} {self.new_job(rows, first).id}" == redriven
        assert f"{second.id} - the budget of its tenant has no room for its price" == refused
        assert None is rows.job(second).redriven_as

    def test_removed_prompts_and_inputs_prevent_a_redrive(self, run, rows, failed):
        scrubbed, emptied = failed(), failed("attempts_exhausted", "shop", "http://one.example/a.png")
        rows.set(scrubbed, params={})
        rows.execute(inputs.delete())
        output = dict(line.split(" - ") for line in run("jobs", "redrive").stdout.splitlines())
        assert "its prompt was removed when the retention of prompts ended" == output[scrubbed.id]
        assert "its inputs were removed when their retention ended" == output[emptied.id]


class TestRetention:
    """The retention of a tenant's data."""

    def test_a_tenants_retention_replaces_the_settings(self, run):
        run("keys", "create", "--tenant", "shop")
        listed = run("retention", "--tenant", "shop").stdout
        assert ["prompts", "forever", "the", "service's", "setting"] == listed.splitlines()[1].split()
        output = run("retention", "set", "--tenant", "shop", "--prompts", "30d", "--outputs", "forever").stdout
        assert "shop: prompts 30d, outputs forever\n" == output
        rows = [line.split() for line in run("retention", "--tenant", "shop").stdout.splitlines()[1:]]
        assert [["prompts", "30d", "the", "tenant"], ["outputs", "forever", "the", "tenant"]] == [rows[0], rows[2]]
        run("retention", "set", "--tenant", "shop", "--prompts", "default")
        assert listed.splitlines()[1] == run("retention", "--tenant", "shop").stdout.splitlines()[1]

    def test_missing_options_and_wrong_durations_are_refused(self, run):
        assert "give at least one of" in run("retention", "set", status=2).output
        assert "is not a duration" in run("retention", "set", "--inputs", "soon", status=2).output
        assert "does not exist" in run("retention", "set", "--tenant", "nobody", "--inputs", "1h", status=1).output
