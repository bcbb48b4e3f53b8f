"""Statements about environments: added by the first worker that completes a job in one, and read with a job."""

from typing import Any

import msgspec
from sqlalchemy import Insert, Select, and_, select
from sqlalchemy.dialects.postgresql import insert

from jobs.job import JobStatus
from jobs.manifests.environment import Environment
from jobs.schema.tables import environments, inputs, jobs
from jobs.statements.queue.tenant_jobs import visible


def add_environment(digest: str, environment: Environment) -> Insert:
    """Add an environment under its digest; it may be there already."""
    added = insert(environments).values(digest=digest, facts=msgspec.to_builtins(environment))
    return added.on_conflict_do_nothing(index_elements=["digest"])


def find_made(job_id: str, tenant: str) -> Select[Any]:
    """Return the tenant's job of this id, and the `facts` of the environment that it was made in, null where none is.

    What no worker has completed has none, and what a version before has completed.
    """
    made_in = environments.c.digest == jobs.c.run["environment"].astext
    return visible(job_id, tenant).add_columns(environments.c.facts).outerjoin(environments, made_in)


def input_copies(job_id: str) -> Select[Any]:
    """Return what is known of a job's inputs that are still stored, by their names; `key` is of the clean copy."""
    columns = ("name", "kind", "key", "media_type", "bytes", "sha256", "min_seconds")
    copies = select(*(inputs.c[name] for name in columns))
    return copies.where(inputs.c.job_id == job_id, inputs.c.key.is_not(None)).order_by(inputs.c.name)


def outputs_of(job_id: str, tenant: str) -> Select[Any]:
    """Return the artifacts of a completed job; no row for one that is not there, or not any more."""
    completed = and_(jobs.c.status == JobStatus.COMPLETED, jobs.c.deleted_at.is_(None))
    return select(jobs.c.artifacts).where(jobs.c.id == job_id, jobs.c.tenant == tenant, completed)
