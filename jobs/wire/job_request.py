"""The answer that says what a job was asked for."""

from collections.abc import Mapping
from typing import Any

import msgspec

from jobs.job import Job
from jobs.params.media import field_of
from jobs.wire.values import UtcTime


class JobRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a job was asked for, and by whom.

    `tenant` is the name of the tenant, by which the operator's commands know it; null in answers of an older API.
    `params` are the fields of the submit, with the values of those that were left out; null once the retention of
    prompts has removed them. `server_id` is the server that was asked for. `trace_id` is in the service's log lines
    about the job, where traces are on.
    """

    job_id: str
    tenant_id: str
    modality: str
    model: str
    params: dict[str, Any] | None
    server_id: str | None
    priority: int
    callback_url: str | None
    deadline_at: UtcTime
    trace_id: str | None
    tenant: str | None = None


def job_request(job: Job, trace_id: str | None, tenant: str) -> JobRequest:
    """Return the answer for a job, whose trace has this id, and whose tenant this name."""
    return JobRequest(
        job_id=job.id,
        tenant_id=job.tenant,
        modality=job.modality,
        model=job.model,
        params=documented(job.params),
        server_id=job.server_id,
        priority=job.priority,
        callback_url=job.callback_url,
        deadline_at=job.deadline_at,
        trace_id=trace_id,
        tenant=tenant,
    )


def documented(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parameters of a row under their documented names; None once they were removed."""
    return {field_of(name): value for name, value in params.items()} or None
