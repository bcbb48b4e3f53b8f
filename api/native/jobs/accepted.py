"""The answer to a submit that did not wait."""

from core.settings import Settings
from jobs.job import Job
from jobs.params.registry import modality_named
from jobs.wire.jobs import Accepted
from jobs.wire.links import public_path
from jobs.wire.wait_reasons import Reason, waiting_for


def accepted(job: Job, settings: Settings) -> Accepted:
    """Return the answer for a job."""
    return Accepted(
        job_id=job.id,
        status=job.status,
        modality=job.modality,
        model=job.model,
        seed=job.seed,
        status_url=status_url(job, settings),
        events_url=public_path(settings, f"/jobs/v1/{job.id}/events"),
        created_at=job.created_at,
        waiting_for=waiting_for(Reason.NO_SERVER_FOR_MODEL) if job.unserved else None,
    )


def status_url(job: Job, settings: Settings) -> str:
    """Return where a job's status is."""
    return public_path(settings, f"{modality_named(job.modality).path}/status/{job.id}")
