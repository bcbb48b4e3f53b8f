"""Look-up of a caller's own jobs and objects. Those of another tenant are answered exactly as unknown ones."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from api.http.auth import Caller
from api.http.database import Database
from core.errors.unknown import UnknownJob
from core.ids import check_id, is_id
from jobs.job import Job, job_from_row
from jobs.media import PREFIX, parse_output
from jobs.params.media import Medium
from jobs.statements.media.library import find_media, find_outputs
from jobs.statements.media.uploads import find_uploads
from jobs.statements.media.voices import find_voices
from jobs.statements.queue.tenant_jobs import visible


async def find_job(database: Database, caller: Caller, job_id: str, modality: str | None = None) -> Job:
    """Return the caller's job, of `modality` if one is given. Raises `MalformedId` or `UnknownJob`."""
    row = await database.row(visible(check_id("job", job_id), caller.tenant))
    if row is None or (modality is not None and row.modality != modality):
        raise UnknownJob
    return job_from_row(row)


async def stored_keys(connection: AsyncConnection, tenant: str, media: Iterable[Medium]) -> dict[str, str]:
    """Return the keys of the tenant's objects that the media name: uploads, voices, items and outputs of jobs."""
    keys: dict[str, str] = {}
    sources = [medium.source for medium in media]
    for prefix, find in (("inp", find_uploads), ("voi", find_voices), (PREFIX, find_media)):
        named = {source for source in sources if is_id(prefix, source)}
        if named:
            keys |= {row.id: row.key for row in await connection.execute(find(named, tenant))}
    outputs = {source: output for source in sources if (output := parse_output(source)) is not None}
    if outputs:
        rows = await connection.execute(find_outputs({job_id for job_id, _ in outputs.values()}, tenant))
        found = {(row.job_id, row.output_number): row.key for row in rows}
        keys |= {source: found[output] for source, output in outputs.items() if output in found}
    return keys
