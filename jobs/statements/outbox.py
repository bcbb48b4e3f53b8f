"""The outbox events of a change of jobs, and the settlement of those that it ends, written by the same statement.

An event therefore exists exactly when its change does, and it takes no further round trip to the database. For a
tenant without endpoints the cost is one look-up in the index of `webhooks`.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Insert,
    Select,
    Text,
    Update,
    and_,
    any_,
    case,
    cast,
    insert,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from jobs.job import JobStatus
from jobs.params.requests.origin import NATIVE
from jobs.schema.tables import jobs, outbox, webhooks
from jobs.statements.budget import settle
from jobs.statements.clauses import fresh_id
from jobs.statements.ended_inputs import close_inputs
from jobs.statements.kept_outputs import is_kept, keep_outputs

STARTED, QUEUED = "job.started", "job.queued"
TRANSIENT_EVENTS = (QUEUED, STARTED)
"""Events that a newer one of the same job supersedes while they are undelivered."""

FRESH = fresh_id("msg")
"""The id of a delivery; SQL text, like the other constants here, because a claim should spend no time on parameters."""


def with_outbox_events(
    change: Update | Insert, *, ends: bool = False, closes: bool = False, keeps: bool = False
) -> Select[Any]:
    """Add outbox events to a change of jobs; the statement returns the changed jobs, and whether each is `announced`.

    A callback gets the end of its job; an endpoint gets the events that it subscribes to. A change that may end jobs,
    which it finds unfinished, says so with `ends`: then it settles their prices too. One that may end jobs which wait
    for inputs says so with `closes`, and one that completes them with `keeps`: then their outputs are in the library.
    """
    changed = change.returning(*jobs.c).cte("changed")
    columns = ("id", "tenant", "job_id", "event_seq", "type", "url", "webhook_id")
    events = insert(outbox).from_select(columns, union_all(_callbacks(changed), _endpoints(changed)))
    added = events.returning(outbox.c.job_id).cte("events")
    announced = changed.c.id.in_(select(added.c.job_id)).label("announced")
    statement = select(*(changed.c[column.name] for column in jobs.c), announced).add_cte(added)
    ended = changed.c.finished_at.is_not(None)
    if ends:
        statement = statement.add_cte(*settle(changed, ended))
    if keeps:
        statement = statement.add_cte(keep_outputs(changed))
    return statement.add_cte(close_inputs(changed, ended)) if closes else statement


def _callbacks(changed: CTE) -> Select[Any]:
    return _messages(changed, changed.c.callback_url, cast(null(), Text)).where(
        changed.c.callback_url.is_not(None), changed.c.finished_at.is_not(None)
    )


def _endpoints(changed: CTE) -> Select[Any]:
    return (
        _messages(changed, webhooks.c.url, webhooks.c.id)
        .join(webhooks, webhooks.c.tenant == changed.c.tenant)
        .where(webhooks.c.disabled_at.is_(None), _type(changed) == any_(webhooks.c.events), _in_format(changed))
    )


def _in_format(changed: CTE) -> ColumnElement[bool]:
    """Return whether an endpoint gets the events of a job: those of a dialect do of the dialect's jobs alone.

    None gets those of jobs that the media library has asked for.
    """
    native = and_(webhooks.c.dialect == literal_column(f"'{NATIVE}'"), is_kept(changed.c.origin))
    return or_(native, webhooks.c.dialect == changed.c.origin.op("->>")(literal_column("'dialect'")))


def _messages(changed: CTE, url: ColumnElement[Any], webhook_id: ColumnElement[Any]) -> Select[Any]:
    c = changed.c
    return select(FRESH, c.tenant, c.id, c.event_seq, _type(changed), url, webhook_id).select_from(changed)


def _type(changed: CTE) -> ColumnElement[str]:
    """Return the event's type; no endpoint subscribes to `job.pending`."""
    running = changed.c.status == literal_column(f"'{JobStatus.PROCESSING}'")
    return case((running, literal_column(f"'{STARTED}'")), else_=literal_column("'job.'").concat(changed.c.status))
