"""The submit as a function of the database, so that its plan is made once per connection and not per statement."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Text, case, literal_column

from jobs.job import Job
from jobs.params.image import ImageParams
from jobs.statements.query import DatabaseFunction, Query
from jobs.statements.queue.submit import ADDED, NewJob, new_job, submit
from jobs.statements.table_function import PLANNING, body_of, set_options

BESIDE = ("announced", "unserved")
"""The columns of the statement that a row of `jobs` does not have."""


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
    statement = submit(any_job)
    answer = statement.with_only_columns(_json_of(statement).label("job"), maintain_column_froms=True)
    return DatabaseFunction(
        kind="submit",
        arguments={ADDED: "text"},
        body=body_of(answer, [ADDED]),
        options=f"VOLATILE ROWS 1 {set_options(PLANNING)}",
    )


def _json_of(statement: Select[Any]) -> ColumnElement[str]:
    """Return the changed row as JSON, with those of `BESIDE` that are true."""
    json: ColumnElement[str] = literal_column("left(row_to_json(changed)::text, -1)", Text)
    for name in BESIDE:
        member = literal_column(f"', \"{name}\": true'", Text)
        json = json.concat(case((statement.selected_columns[name], member), else_=literal_column("''", Text)))
    return json.concat(literal_column("'}'", Text))


SUBMIT = _submit_function()
_SUBMIT = SUBMIT.call


def submit_at_once(new_jobs: Sequence[NewJob]) -> Query[Job]:
    """Add the jobs, as `submit` does."""
    return Query(_SUBMIT, (msgspec.json.encode(new_jobs).decode(),), Job, reads=False)
