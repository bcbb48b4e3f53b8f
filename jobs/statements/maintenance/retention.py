"""Statements of retention: what a tenant keeps after its jobs, class by class, and orphaned objects.

The retention of a class is `tenants.keep_…_seconds`, or the service's setting where that is null; a negative number
keeps the data for good.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Insert,
    Select,
    String,
    Table,
    Update,
    delete,
    exists,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from jobs.job import ACTIVE
from jobs.schema.tables import (
    chores,
    files,
    has_outputs,
    has_prompt,
    inputs,
    is_bare,
    jobs,
    media,
    outbox,
    tenants,
    uploads,
    voices,
)
from jobs.statements.clauses import after, erased_values, now, outlived, tx_now
from jobs.statements.media.input_removal import are_waited_for
from jobs.statements.media.library import without_prompt
from jobs.statements.media.library_removal import gone_values
from jobs.statements.webhooks.deliveries import open_

BATCH = 500
CLASSES = ("prompts", "inputs", "outputs", "deliveries", "jobs", "rows")
_without_revised_prompt = literal_column(
    "coalesce((SELECT jsonb_agg(one #- '{metadata,revised_prompt}' ORDER BY place) "
    "FROM jsonb_array_elements(artifacts) WITH ORDINALITY AS each(one, place)), '[]')",
    JSONB,
)


def kept(tenant: str) -> Select[Any]:
    """Return a tenant's own retention of each class, in seconds."""
    return select(*(tenants.c[f"keep_{name}_seconds"].label(name) for name in CLASSES)).where(tenants.c.id == tenant)


def keep(tenant: str, **seconds: float | None) -> Update:
    """Set the retention of classes; null is the service's setting, a negative number keeps for good."""
    values = {f"keep_{name}_seconds": value for name, value in seconds.items()}
    return update(tenants).where(tenants.c.id == tenant).values(values)


def scrub_prompts(default: float) -> Select[Any]:
    """Remove the prompts of jobs past their retention, and of their items in the library; returns the jobs' ids."""
    old = _old_jobs("prompts", default, text(has_prompt))
    scrubbed = (
        update(jobs)
        .where(jobs.c.id.in_(old))
        .values(params=literal({}, JSONB), artifacts=_without_revised_prompt)
        .returning(jobs.c.id)
        .cte("scrubbed")
    )
    items = update(media).where(media.c.job_id == scrubbed.c.id).values(without_prompt()).cte("items")
    return select(scrubbed.c.id).add_cte(items)


def forget_outputs(default: float) -> Select[Any]:
    """Remove the outputs of jobs past their retention, and their items; returns the prefix of each job's keys."""
    old = _old_jobs("outputs", default, text(has_outputs))
    prefix = func.concat(jobs.c.tenant, "/", jobs.c.id, "/", jobs.c.fence, "/").label("prefix")
    gone = {"artifacts": literal([], JSONB), "outputs_removed_at": now}
    forgotten = update(jobs).where(jobs.c.id.in_(old)).values(gone).returning(jobs.c.id, prefix).cte("forgotten")
    items = (
        update(media)
        .where(media.c.job_id == forgotten.c.id, media.c.deleted_at.is_(None))
        .values(gone_values())
        .cte("items")
    )
    return select(forgotten.c.id, forgotten.c.prefix).add_cte(items)


def forget_old_deliveries(default: float) -> Executable:
    """Remove ended deliveries past their retention; returns the ids."""
    old = _each_tenants(
        select(outbox.c.id).where(
            outbox.c.tenant == tenants.c.id, not_(open_(outbox)), outlived("deliveries", outbox.c.created_at, default)
        )
    )
    return delete(outbox).where(outbox.c.id.in_(old)).returning(outbox.c.id)


def forget_jobs(default: float) -> Select[Any]:
    """Delete jobs past their retention, as their callers could; returns the ids.

    Their objects are purged, and then their rows. A job stays while a delivery of its events is due, and while a
    redriven job waits for its inputs.
    """
    old = _finished_jobs(
        # The index is by `created_at`: of the jobs that are as old, few ended later than the retention began.
        outlived("jobs", jobs.c.created_at, default),
        outlived("jobs", jobs.c.finished_at, default),
        oldest=jobs.c.created_at,
    )
    return _forget(old)


def forget_bare_rows(default: float) -> Select[Any]:
    """Delete the rows of jobs past their retention that have neither prompt nor outputs; returns the ids.

    Where retention has removed outputs it begins then: until it ends their links answer 410, and 404 afterwards.
    """
    old = _finished_jobs(
        text(is_bare),
        outlived("rows", jobs.c.finished_at, default),  # as the index has it
        outlived("rows", func.greatest(jobs.c.finished_at, jobs.c.outputs_removed_at), default),
        oldest=jobs.c.finished_at,
    )
    return _forget(old)


def _finished_jobs(*conditions: Any, oldest: ColumnElement[Any]) -> Select[Any]:
    """Return the ids of finished jobs that meet the conditions, and that no delivery and no redriven job needs."""
    due = exists().where(outbox.c.job_id == jobs.c.id, open_(outbox))
    return _each_tenants(
        select(jobs.c.id)
        .where(
            jobs.c.tenant == tenants.c.id,
            jobs.c.deleted_at.is_(None),
            jobs.c.finished_at.is_not(None),
            *conditions,
            not_(due.correlate(jobs)),
            not_(are_waited_for()),
        )
        .order_by(oldest, jobs.c.id)
        .with_for_update(skip_locked=True)
    )


def _forget(old: Select[Any]) -> Select[Any]:
    forgotten = update(jobs).where(jobs.c.id.in_(old)).values(erased_values()).returning(jobs.c.id).cte("forgotten")
    deliveries = delete(outbox).where(outbox.c.job_id == forgotten.c.id).cte("deliveries")
    return select(forgotten.c.id).add_cte(deliveries)


def of_tenants(keys: Collection[str]) -> Select[Any]:
    """Return those of the keys that belong to a tenant of this installation."""
    key = _each_of(keys)
    return select(key.label("key")).where(_is_ours(key))


def turn(name: str, seconds: float) -> Insert:
    """Take the turn at a chore that is due every `seconds`; returns a row to one caller at a time."""
    fresh = {"next_at": after(seconds)}
    return (
        insert(chores)
        .values(name=name, **fresh)
        .on_conflict_do_update(index_elements=["name"], set_=fresh, where=chores.c.next_at <= tx_now)
        .returning(chores.c.name)
    )


def end_turn(name: str) -> Update:
    """End a turn early: the next caller gets one at once."""
    return update(chores).where(chores.c.name == name).values(next_at=now)


def postpone_turn(name: str, seconds: float) -> Update:
    """End a turn: the next one is due in so many seconds."""
    return update(chores).where(chores.c.name == name).values(next_at=after(seconds))


def orphans(keys: Collection[str]) -> Select[Any]:
    """Return the keys that no row refers to; their objects may be removed.

    Keys that an unfinished job may still write or read count as referred to. So do keys of unknown tenants: another
    installation may use the same bucket.
    """
    key = _each_of(keys)
    tenant, second, third = (func.split_part(key, "/", number) for number in (1, 2, 3))
    job = (
        jobs.c.id == second,
        jobs.c.tenant == tenant,
        or_(
            jobs.c.status.in_(ACTIVE),
            jobs.c.artifacts.contains(_one("key", key)),
            jobs.c.artifacts.contains(_one("previews", _one("key", key))),
        ),
    )
    referred_to = or_(
        _is_there(jobs, *job),
        _is_there(inputs, inputs.c.job_id == second, inputs.c.key == key),
        _is_there(inputs, inputs.c.source_key == key),
        _is_there(uploads, uploads.c.id == third, uploads.c.key == key),
        _is_there(files, files.c.id == third, files.c.key == key),
        _is_there(voices, voices.c.id == third, voices.c.key == key),
        _is_there(media, media.c.id == third, second == "media", media.c.deleted_at.is_(None)),
        _is_there(
            media,
            media.c.job_id == second,
            media.c.deleted_at.is_(None),
            or_(media.c.key == key, media.c.previews.contains(_one("key", key))),
        ),
    )
    return select(key.label("key")).where(_is_ours(key), not_(referred_to))


def _one(name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a list of one object of one key, which is contained in every list that has such an object."""
    return func.jsonb_build_array(func.jsonb_build_object(name, value))


def _each_of(keys: Collection[str]) -> ColumnElement[str]:
    # Not called `key`, as columns of the tables are: inside their subqueries the name would mean those.
    return func.unnest(literal(list(keys), ARRAY(String))).column_valued("stored_key")


def _is_ours(key: ColumnElement[str]) -> ColumnElement[bool]:
    return _is_there(tenants, tenants.c.id == func.split_part(key, "/", 1))


def _is_there(table: Table, *condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether a row meets the condition, which an index must answer.

    OFFSET 0 makes it a look-up for each key: without it the planner may read a whole table for a page of keys.
    """
    return select(literal_column("1")).select_from(table).where(*condition).offset(literal_column("0")).exists()


def _old_jobs(name: str, default: float, has: Any) -> Select[Any]:
    return _each_tenants(
        select(jobs.c.id)
        .where(jobs.c.tenant == tenants.c.id, has, outlived(name, jobs.c.finished_at, default))
        .with_for_update(skip_locked=True)
    )


def _each_tenants(own: Select[Any]) -> Select[Any]:
    """Return ids of `own`, which refers to `tenants`, with an index scan for each tenant."""
    some = own.correlate(tenants).limit(BATCH).lateral("some")
    return select(some.c.id).select_from(tenants.join(some, true())).limit(BATCH)
