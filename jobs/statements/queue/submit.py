"""Statements of a submit: idempotency, the job itself, let in by its tenant's budget and cap, and its inputs."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    CTE,
    BigInteger,
    BindParameter,
    Boolean,
    ColumnElement,
    Delete,
    Double,
    Insert,
    Integer,
    ScalarSelect,
    Select,
    SmallInteger,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

from jobs.job import JobStatus
from jobs.params.media import FilmFrame, MediaKind, media_of
from jobs.params.registry import AnyParams
from jobs.params.requests.origin import NATIVE_ORIGIN, Origin
from jobs.schema.tables import idempotency, inputs, jobs, servers
from jobs.statements.budget import admit
from jobs.statements.clauses import IDEMPOTENCY_SECONDS, after, ago, now, tx_now
from jobs.statements.outbox import with_outbox_events
from jobs.statements.queue.tenant_jobs import visible
from jobs.statements.servers import is_open_to

ADDED = "added"
"""The parameter of `submit`: the new jobs, as JSON."""
COLUMNS: Mapping[str, TypeEngine[Any]] = {
    "job": Text(),
    "tenant": Text(),
    "key_id": Text(),
    "models": ARRAY(Text),
    "prices": ARRAY(Double),
    "served": Boolean(),
    "key": Text(),
    "digest": Text(),
    "modality": Text(),
    "params": JSONB(),
    "seed": BigInteger(),
    "max_attempts": Integer(),
    "priority": SmallInteger(),
    "server": Text(),
    "spill": Double(),
    "callback_url": Text(),
    "deadline": Double(),
    "start": Double(),
    "cap": Integer(),
    "traceparent": Text(),
    "origin": JSONB(),
    "pending": Boolean(),
}
"""The type of each field of `NewJob`."""


class InputSource(msgspec.Struct, frozen=True, kw_only=True):
    """The source of an input: a URL and its host, or the key of a stored object.

    `host` is in lower case, with the port unless it is the scheme's own. `name` is that of `jobs.params.media.Medium`.
    Audio must be longer than `min_seconds`, a film at most `max_seconds` long, and each side of a picture have
    `min_side` pixels. The file has at most `max_bytes` and one of the `types`, where they say so. With a `frame` the
    source is a film, and the input that picture of it.
    """

    name: str
    kind: MediaKind
    url: str | None = None
    source_key: str | None = None
    host: str = ""
    min_seconds: float = 0.0
    max_bytes: int | None = None
    types: tuple[str, ...] = ()
    max_seconds: float | None = None
    min_side: int = 0
    frame: FilmFrame | None = None


class Offer(msgspec.Struct, frozen=True):
    """A model that can run a job, and what the job costs with it, in US dollars."""

    model: str
    price_usd: float = 0.0


class NewJob(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A job to be added, as the statement reads it from JSON; `new_job` says what the fields are. None equals another.

    `deadline`, `start` and `spill` are in seconds. `key` and `digest` are of the Idempotency-Key.
    """

    job: str
    tenant: str
    key_id: str | None
    models: list[str]
    prices: list[float]
    served: bool
    key: str | None
    digest: str | None
    modality: str
    params: AnyParams
    seed: int | None
    max_attempts: int
    priority: int
    server: str | None
    spill: float | None
    callback_url: str | None
    deadline: float
    start: float | None
    cap: int | None
    traceparent: str | None
    origin: Origin
    pending: bool


class KeyDigest(Protocol):
    """An Idempotency-Key and the digest of its request."""

    @property
    def key(self) -> str:
        """The key, as the caller sent it."""

    @property
    def digest(self) -> str:
        """A hash of the path and the body."""


def remember(tenant: str, key: str, body_sha256: str, job_id: str) -> Insert:
    """Claim an Idempotency-Key for a job; returns no row while a valid entry holds it."""
    return _remember(select(literal(tenant), literal(key), literal(body_sha256), literal(job_id)))


def _remember(rows: Select[str, str, str, str]) -> ReturningInsert[Any]:
    """Claim the Idempotency-Keys of rows of tenant, key, body and job; returns the jobs that have got theirs."""
    entry = insert(idempotency).from_select(["tenant", "key", "body_sha256", "job_id"], rows)
    fresh = {"body_sha256": entry.excluded.body_sha256, "job_id": entry.excluded.job_id, "created_at": now}
    return entry.on_conflict_do_update(
        index_elements=["tenant", "key"],
        set_=fresh,
        where=idempotency.c.created_at < ago(IDEMPOTENCY_SECONDS),
    ).returning(idempotency.c.job_id)


def repeated(job_id: str, tenant: str) -> Select[Any]:
    """Return the job that an Idempotency-Key made, as the answer to its repeat shows it; no row once it is deleted.

    It is unserved only while it waits.
    """
    waits = jobs.c.status.in_((JobStatus.PENDING, JobStatus.QUEUED))
    return visible(job_id, tenant).add_columns(
        and_(waits, not_(_is_served(jobs.c.model, jobs.c.tenant))).label("unserved")
    )


def remembered(tenant: str, key: str) -> Select[Any]:
    """Return the job and body that hold an Idempotency-Key; no row after its day."""
    return select(idempotency.c.job_id, idempotency.c.body_sha256).where(
        idempotency.c.tenant == tenant,
        idempotency.c.key == key,
        idempotency.c.created_at >= ago(IDEMPOTENCY_SECONDS),
    )


def forget_key(tenant: str, key: str, job_id: str) -> Delete:
    """Forget an Idempotency-Key that this job has, so that its next use makes another one."""
    c = idempotency.c
    return delete(idempotency).where(c.tenant == tenant, c.key == key, c.job_id == job_id)


def ask(tenant: str, price_usd: float, *, usual_cap: int, key_id: str | None = None) -> Select[Any]:
    """Ask whether `submit` would be let in now; raises as it does."""
    return select(admit(tenant, key_id, price_usd, usual_cap, dry=True))


def new_job(
    *,
    job_id: str,
    tenant: str,
    offers: Sequence[Offer],
    params: AnyParams,
    seed: int | None,
    max_attempts: int,
    deadline_seconds: float,
    key_id: str | None = None,
    served: bool = False,
    key: KeyDigest | None = None,
    usual_cap: int | None = None,
    spill_seconds: float | None = None,
    traceparent: str | None = None,
    origin: Origin = NATIVE_ORIGIN,
) -> NewJob:
    """Return a job to be added: queued, or pending if it needs inputs, which `add_inputs` adds in its transaction.

    The model is the first of `offers`, with `served` the first that a live server serves; its price is reserved. A
    `key` is claimed for the job. A job that asks for a server may run on any other after `spill_seconds`; None stands
    for never. `key_id` is the API key that pays. `usual_cap` is how many unfinished jobs a tenant without a number of
    its own may have.
    """
    return NewJob(
        job=job_id,
        tenant=tenant,
        key_id=key_id,
        models=[offer.model for offer in offers],
        prices=[offer.price_usd for offer in offers],
        served=served,
        key=None if key is None else key.key,
        digest=None if key is None else key.digest,
        modality=str(type(params).__struct_config__.tag),
        params=params,
        seed=seed,
        max_attempts=max_attempts,
        priority=params.priority,
        server=params.server_id,
        spill=spill_seconds,
        callback_url=params.callback_url,
        deadline=deadline_seconds,
        start=params.start_within_seconds,
        cap=usual_cap,
        traceparent=traceparent,
        origin=origin,
        pending=any(media_of(params)),
    )


def submit(*new_jobs: NewJob) -> Select[Any]:
    """Add jobs, and return their rows.

    No row, and nothing is written, for one of which no model is served or the key is taken. A refusal is an error, as
    `jobs.statements.budget.admit` describes it, and then nothing of the whole statement is written. Keys of one
    statement must differ, or it is an error too. Jobs of several tenants would make two statements wait for each other.
    """
    chosen = _chosen(bindparam(ADDED, msgspec.json.encode(new_jobs).decode(), Text))
    # Materialized, so that the key is claimed before the tenant's budget is asked: a repeat adds no job.
    # In the order of the keys, so that two statements with several of the same do not wait for each other in a circle.
    keyed = (
        select(chosen.c.tenant, chosen.c.key, chosen.c.digest, chosen.c.job)
        .where(chosen.c.key.is_not(None))
        .order_by(chosen.c.key)
    )
    entered = _remember(keyed).cte("entered")
    claimed = (
        select(chosen)
        .outerjoin(entered, entered.c.job_id == chosen.c.job)
        .where(or_(chosen.c.key.is_(None), entered.c.job_id.is_not(None)))
        .cte("claimed")
        .prefix_with("MATERIALIZED")
    )
    given = claimed.c
    values = {
        "id": given.job,
        "tenant": given.tenant,
        "key_id": given.key_id,
        "modality": given.modality,
        "model": given.model,
        "params": given.params,
        "seed": given.seed,
        "status": case((given.pending, JobStatus.PENDING.value), else_=JobStatus.QUEUED.value),
        "max_attempts": given.max_attempts,
        "priority": given.priority,
        "server_id": given.server,
        "spill_at": after(given.spill),
        "callback_url": given.callback_url,
        "price_usd": given.price_usd,
        # Read from the clock one after the other, as they follow each other; defaults would be later than all of them.
        "available_at": now,
        "deadline_at": after(func.least(given.start, given.deadline)),
        "run_deadline_at": case((given.start.is_not(None), after(given.deadline))),
        "created_at": now,
        "queued_at": case((not_(given.pending), now)),
        "traceparent": given.traceparent,
        "origin": given.origin,
        "labels": func.coalesce(given.params["labels"], literal_column("'{}'::jsonb")),
        "has_inputs": given.pending,
    }
    typed: list[ColumnElement[Any]] = [cast(value, jobs.c[name].type) for name, value in values.items()]
    added = with_outbox_events(
        jobs.insert().from_select(
            list(values), select(*typed).where(admit(given.tenant, given.key_id, given.price_usd, given.cap))
        )
    )
    is_served = _is_served(added.selected_columns.model, added.selected_columns.tenant)
    return added.add_columns(not_(is_served).label("unserved"))


def _chosen(added: BindParameter[str]) -> CTE:
    """Return the jobs of the JSON, each with the model and price of the first offer that will do."""
    given = (
        func.jsonb_to_recordset(cast(added, JSONB))
        .table_valued(*(column(name, type_) for name, type_ in COLUMNS.items()), name="given")
        .render_derived(name="given", with_types=True)
    )
    offered = (
        func.unnest(given.c.models, given.c.prices)
        .table_valued(column("model", Text), column("price_usd", Double), with_ordinality="place", name="offered")
        .render_derived(name="offered")
    )
    first = (
        select(offered.c.model, offered.c.price_usd)
        .where(or_(not_(given.c.served), _is_served(offered.c.model, given.c.tenant)))
        .order_by(offered.c.place)
        .limit(1)
        .lateral("first")
    )
    return select(given, first.c.model, first.c.price_usd).join_from(given, first, true()).cte("chosen")


def _is_served(model: ColumnElement[str], tenant: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether a live server serves a model to a tenant."""
    serving: Select[Any] = select(literal_column("1")).where(
        servers.c.lease_until > tx_now, model == any_(servers.c.serves), is_open_to(tenant)
    )
    return serving.correlate_except(servers).exists()


def add_inputs(job_id: str, tenant: str, sources: Sequence[InputSource]) -> Insert:
    """Add the inputs of a pending job, at least one; a CPU worker fetches and cleans them."""
    common = {"job_id": job_id, "tenant": tenant, "model": model_of(job_id)}
    return inputs.insert().values([common | msgspec.to_builtins(source) for source in sources])


def model_of(job_id: str) -> ScalarSelect[str]:
    """Return the model of a job, for a column of its inputs."""
    return select(jobs.c.model).where(jobs.c.id == job_id).scalar_subquery()


def served_models(tenant: str | None = None) -> Select[Any]:
    """Return every model that a live server serves, to a tenant if given."""
    living = select(func.unnest(servers.c.serves)).where(servers.c.lease_until > tx_now)
    return (living if tenant is None else living.where(is_open_to(literal(tenant)))).distinct()


def models_of_server(server_id: str, tenant: str | None = None) -> Select[Any]:
    """Return the models that a server serves or last served, and whether it lives.

    No row for an unknown name, and with `tenant` for a remote backend that may not have its jobs.
    """
    found = select(servers.c.serves, (servers.c.lease_until > tx_now).label("alive")).where(
        servers.c.server_id == server_id, servers.c.removed_at.is_(None)
    )
    return found if tenant is None else found.where(is_open_to(literal(tenant)))
