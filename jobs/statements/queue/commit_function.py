"""The commit of a job as a function of the database: its plan costs several times what the statement does."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Double, Text, TextualSelect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from jobs.job import NO_TIME, Artifact, DeviceTime, JobRun
from jobs.statements.clauses import HELD
from jobs.statements.queue.claimed import commit
from jobs.statements.table_function import TableFunction, table_function

KIND = "commit"
ARGUMENTS: Mapping[str, TypeEngine[Any]] = {
    "a_job": Text(),
    "a_fence": BigInteger(),
    "a_artifacts": JSONB(),
    "a_warnings": JSONB(),
    "a_run": JSONB(none_as_null=True),
    "a_cost": Double(),
    "a_metered": Double(),
    "a_gpu": Double(),
    "a_load": Double(),
    "held": Text(),
}
"""The status is one of them, so that the index of the key is the only one which a plan can take."""


@cache
def commit_function() -> TableFunction:
    """Return the function."""
    return table_function(KIND, commit("", 0, artifacts=(), warnings=(), cost=0.0), ARGUMENTS)


def call(
    job_id: str,
    fence: int,
    *,
    artifacts: Sequence[Artifact],
    warnings: Sequence[str],
    cost: float,
    metered: float | None = None,
    used: DeviceTime = NO_TIME,
    run: JobRun | None = None,
) -> TextualSelect:
    """Complete the job and charge its tenant, as `commit` does, by the function."""
    made = msgspec.to_builtins(list(artifacts)), list(warnings), msgspec.to_builtins(run)
    values = (job_id, fence, *made, cost, metered, used.gpu_seconds, used.load_seconds, HELD)
    return commit_function().call(dict(zip(ARGUMENTS, values, strict=True)))
