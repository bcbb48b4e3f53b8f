"""Finding a caller's job. A job of another tenant answers exactly as one that does not exist."""

from api.auth import Caller
from api.database import Database
from jobs.errors import UnknownJob
from jobs.ids import check_id
from jobs.job import Job, job_from_row
from jobs.params import Modality
from jobs.statements.caller import visible


async def find_job(database: Database, caller: Caller, job_id: str, modality: Modality | None = None) -> Job:
    """The caller's job, of that modality if one is given. Raises `MalformedId` or `UnknownJob`."""
    row = await database.row(visible(check_id("job", job_id), caller.tenant))
    if row is None or (modality is not None and row.modality != modality):
        raise UnknownJob
    return job_from_row(row)
