"""Jobs as their owners see them: by a key, with the forecast."""

from collections.abc import Sequence

from sqlalchemy import select

from core.settings import Settings
from jobs.job import Job
from jobs.schema.tables import api_keys
from jobs.statements.queue.look import FollowedJob, JobView, look_again
from tests.support.rows.rows import Rows
from tests.support.service.api_server import make_key


def key_of(rows: Rows, tenant: str) -> str:
    """The id of a tenant's first key, which is made where there is none."""
    first = select(api_keys.c.id).where(api_keys.c.tenant == tenant).order_by(api_keys.c.created_at)
    if not rows.execute(first):
        make_key(rows, Settings(secret_key="s"), tenant)
    return str(rows.scalar(first))


def look_at(rows: Rows, asked: Sequence[FollowedJob]) -> dict[FollowedJob, JobView | None]:
    """What each follower finds, with the jobs ahead counted for each by itself."""
    found = rows.fetch(look_again(asked, counted=True))
    return {FollowedJob(looked.job_id, looked.key.id): looked.view for looked in found}


def by_owner(rows: Rows, *jobs: Job) -> list[FollowedJob]:
    """The jobs as their owners follow them."""
    return [FollowedJob(job.id, key_of(rows, job.tenant)) for job in jobs]


def seen(rows: Rows, job: Job) -> JobView:
    """A job as its owner sees it."""
    (view,) = look_at(rows, by_owner(rows, job)).values()
    assert view is not None, "the job is deleted"
    return view
