"""The claim of a remote backend: which jobs it may have, and what they note of it."""

import msgspec
import pytest
from sqlalchemy import update

from jobs.job import JobBackend
from jobs.schema.tables import tenants
from jobs.statements.clauses import ago
from jobs.statements.queue.claim import Claimant
from jobs.statements.queue.submit import models_of_server, served_models
from jobs.statements.servers import fleet, living
from jobs.wire.servers import BackendState, ServerFacts
from tests.support.rows.rows import MODEL, Rows

NAME = "backend:partner"
NOTED = JobBackend("partner", "openai", "primary_down")


@pytest.fixture
def backend(rows: Rows) -> Claimant:
    return of_backend(rows)


def of_backend(rows: Rows, **more: object) -> Claimant:
    claimant = rows.server(NAME)
    facts = ServerFacts(
        state="idle",
        device="remote",
        serves=(MODEL,),
        backend=BackendState(name="partner", kind="openai", circuit="closed"),
    )
    assert "active" == rows.lease(NAME, claimant.incarnation, facts)
    return msgspec.structs.replace(claimant, remote=True, backends=((MODEL, NOTED),), **more)


def keep_here(rows: Rows, tenant: str) -> None:
    rows.execute(update(tenants).where(tenants.c.id == tenant).values(local_only=True))


def test_a_job_notes_who_has_it_and_why(rows: Rows, backend: Claimant) -> None:
    rows.submit(rows.tenant())
    job = rows.claim(backend)
    assert (NAME, NOTED, NOTED) == (job.worker, job.backend, job.made_by)


def test_the_next_claim_notes_anew(rows: Rows, backend: Claimant) -> None:
    rows.submit(rows.tenant())
    job = rows.claim(backend)
    rows.set(job, status="queued", lease_until=None)
    again = rows.claim(rows.server("gpu-1"))
    assert (job.id, None, JobBackend("local", "local", "primary")) == (again.id, again.backend, again.made_by)


def test_a_job_that_asks_for_it_says_so(rows: Rows, backend: Claimant) -> None:
    rows.submit(rows.tenant(), server_id=NAME)
    assert "pinned" == rows.claim(backend).made_by.reason


def test_only_jobs_that_waited_are_taken_unless_they_ask(rows: Rows, backend: Claimant) -> None:
    patient = msgspec.structs.replace(backend, waited_seconds=60.0)
    tenant = rows.tenant()
    old, asking = rows.submit(tenant), rows.submit(tenant, server_id=NAME)
    assert asking.id == rows.claim(patient).id
    assert rows.claim(patient) is None
    rows.set(old, available_at=ago(61.0))
    assert old.id == rows.claim(patient).id


def test_a_backend_gets_no_jobs_of_a_local_only_tenant(rows: Rows, backend: Claimant) -> None:
    here, anywhere = rows.tenant("here"), rows.tenant("anywhere")
    keep_here(rows, here)
    kept, pinned, free = rows.submit(here), rows.submit(here, server_id=NAME), rows.submit(anywhere)
    assert free.id == rows.claim(backend).id
    assert rows.claim(backend) is None
    assert rows.claim(msgspec.structs.replace(backend, dedicated=True)) is None
    assert kept.id == rows.claim(rows.server("gpu-1")).id
    assert "queued" == rows.job(pinned).status


def test_for_such_a_tenant_a_backend_is_no_server(rows: Rows, backend: Claimant) -> None:
    here, anywhere = rows.tenant("here"), rows.tenant("anywhere")
    keep_here(rows, here)
    for tenant, models, count in ((here, [], 0), (anywhere, [(MODEL,)], 1), (None, [(MODEL,)], 1)):
        assert models == rows.execute(served_models(tenant))
        assert count == len(rows.execute(fleet(tenant)))
    assert [] == rows.execute(models_of_server(NAME, here))
    assert 1 == len(rows.execute(models_of_server(NAME, anywhere)))
    assert [True] == [row.remote for row in rows.execute(living())]


@pytest.mark.long
def test_a_submit_knows_whether_anything_serves_its_tenant(rows: Rows, backend: Claimant) -> None:
    here, anywhere = rows.tenant("here"), rows.tenant("anywhere")
    keep_here(rows, here)
    assert [True, False] == [rows.submit_row(tenant).unserved for tenant in (here, anywhere)]
