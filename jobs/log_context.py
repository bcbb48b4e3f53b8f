"""The log context of a job."""

from contextlib import AbstractContextManager

from core.logs import log_context
from core.tracing import trace_id
from jobs.job import Job


def about_job(job: Job) -> AbstractContextManager[None]:
    """Add the ids of the job, its tenant and its trace to what is logged in the block."""
    return log_context(job_id=job.id, tenant_id=job.tenant, trace_id=trace_id(job.traceparent))
