"""The submit as a function of the database, so that its plan is made once per connection and not per statement."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, literal_column

from jobs.job import Job
from jobs.params.image import ImageParams
from jobs.statements.query import DatabaseFunction, Query
from jobs.statements.queue.submit import ADDED, NewJob, new_job, submit
from jobs.statements.table_function import PLANNING, body_of, set_options

_JOB: ColumnElement[str] = literal_column("""
    left(row_to_json(changed)::text, -1)
    || CASE WHEN changed.id IN (SELECT job_id FROM events) THEN ', "announced": true' ELSE '' END
    || CASE WHEN EXISTS (SELECT FROM servers WHERE lease_until > now() AND changed.model = ANY(serves)) THEN ''
        ELSE ', "unserved": true' END
    || '}'""")
"""The row as JSON, and what the columns of the statement beside it say, where it is so."""


def _submit_function() -> DatabaseFunction:
    any_job = new_job(
        job_id="",
        tenant="",
        offers=(),
        params=ImageParams(prompt="."),
        seed=None,
        max_attempts=0,
        deadline_seconds=0.0,
    )
    statement = submit(any_job).with_only_columns(_JOB.label("job"), maintain_column_froms=True)
    return DatabaseFunction(
        kind="submit",
        arguments={ADDED: "text"},
        body=body_of(statement, [ADDED]),
        options=f"VOLATILE ROWS 1 {set_options(PLANNING)}",
    )


SUBMIT = _submit_function()
_SUBMIT = SUBMIT.call


def submit_at_once(new_jobs: Sequence[NewJob]) -> Query[Job]:
    """Add the jobs, as `submit` does."""
    return Query(_SUBMIT, (msgspec.json.encode(new_jobs).decode(),), Job, reads=False)
