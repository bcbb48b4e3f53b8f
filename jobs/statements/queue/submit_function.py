"""The ordinary submit as a function of the database, so that its plan is made once per connection and not per job.

It is the statement of `submit` for a request that names neither media nor a server, with its parameters as arguments.
There is one for each kind: whether a live server must serve the model, and whether there is an Idempotency-Key.
"""

from collections.abc import Sequence
from functools import cache

import msgspec
from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.dialects.postgresql import psycopg

from jobs.job import Job
from jobs.params.image import ImageParams
from jobs.params.registry import AnyParams
from jobs.statements.query import DatabaseFunction, Query
from jobs.statements.queue.submit import ARGUMENTS, KeyDigest, Offer, submit

_DIALECT = psycopg.dialect()  # type: ignore[no-untyped-call]
_OPTIONS = "VOLATILE ROWS 1 SET plan_cache_mode = force_generic_plan SET enable_seqscan = off"

_JOB = """
    CASE WHEN EXISTS (SELECT FROM events) THEN (to_jsonb(changed) || '{"announced": true}')::text
    ELSE row_to_json(changed)::text END"""


class _AnyKey(msgspec.Struct, frozen=True):
    key: str = ""
    digest: str = ""


@cache
def submit_function(*, served: bool, keyed: bool) -> DatabaseFunction:
    """Return the function of a kind."""
    statement = submit(
        job_id="",
        tenant="",
        offers=[],
        params=ImageParams(prompt="."),
        seed=None,
        max_attempts=0,
        deadline_seconds=0.0,
        served=served,
        key=_AnyKey() if keyed else None,
        usual_cap=0,
    )
    row: ColumnElement[str] = literal_column(_JOB).label("job")
    compiled = statement.with_only_columns(row, maintain_column_froms=True).compile(dialect=_DIALECT)
    places = {name: f"${number}" for number, name in enumerate(ARGUMENTS, start=1)}
    body = str(compiled) % {name: places.get(name) or _constant(value) for name, value in compiled.params.items()}
    arguments = {f"a_{name}": str(type_.compile(_DIALECT)) for name, type_ in ARGUMENTS.items()}
    return DatabaseFunction(kind="submit", arguments=arguments, body=body, options=_OPTIONS)


@cache
def _call(*, served: bool, keyed: bool) -> str:
    return submit_function(served=served, keyed=keyed).call


def submit_at_once(
    *,
    job_id: str,
    tenant: str,
    offers: Sequence[Offer],
    params: AnyParams,
    seed: int | None,
    max_attempts: int,
    deadline_seconds: float,
    served: bool,
    key: KeyDigest | None,
    usual_cap: int,
    traceparent: str | None,
) -> Query[Job]:
    """Add a queued job, as `submit` does; `params` name neither media nor a server."""
    values = (
        job_id,
        tenant,
        [offer.model for offer in offers],
        [offer.price_usd for offer in offers],
        key and key.key,
        key and key.digest,
        type(params).__struct_config__.tag,
        Jsonb(params, dumps=msgspec.json.encode),
        seed,
        max_attempts,
        params.priority,
        params.callback_url,
        deadline_seconds,
        usual_cap,
        traceparent,
    )
    return Query(_call(served=served, keyed=key is not None), values, Job, reads=False)


def _constant(value: object) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
