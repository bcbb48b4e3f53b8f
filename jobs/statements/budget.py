"""Statements about budgets of tenants and keys: what jobs have cost, and what is reserved for unfinished ones.

A submit reserves the price of its job, or is refused; the change that ends the job settles it. Whatever happens at the
same time, `spent_usd + reserved_usd` never exceeds a budget by a submit. The database's function `admit_v3` asks, in
queries of its own: only those see what was committed while they waited for the tenant's lock.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Integer,
    Numeric,
    ScalarSelect,
    Select,
    Subquery,
    Table,
    Text,
    Update,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union,
    update,
)

from jobs.job import ACTIVE
from jobs.schema.tables import api_keys, jobs, tenants

SPENT, FULL = "AT402", "AT429"
"""SQLSTATEs of `admit`: the budget has no room for the price; the tenant has as many unfinished jobs as it may."""

KEY = "key"
"""The message of `SPENT` where the budget is that of the key, and not of its tenant."""

Price = Numeric(14, 6)

_LEFT = "{0}.budget_usd - {0}.spent_usd - {0}.reserved_usd"
BALANCE = f"least({_LEFT.format('tenants')}, {_LEFT.format('api_keys')})"
"""SQL of the US dollars that a key may still spend on further jobs: what is left of its tenant's budget and of its own.

Null without a budget, since `least` leaves out what is null; a key that is null has none.
"""


def admit(
    tenant: ColumnElement[str] | str,
    key_id: ColumnElement[str] | str | None,
    price_usd: ColumnElement[Any] | float,
    usual_cap: ColumnElement[Any] | int | None = None,
    *,
    dry: bool = False,
) -> ColumnElement[bool]:
    """Return the call that lets a job in and reserves its price until the job's end; with `dry` it only asks.

    A null key has no budget of its own. `usual_cap` is the highest number of unfinished jobs of a tenant that has no
    number of its own; None stands for any number, of every tenant. A refusal is an error with `SPENT` or `FULL` as its
    SQLSTATE, so that nothing else of the statement happens either; `SPENT` has `tenant` or `key` as its message, and
    `FULL` the cap.
    """
    limit = null() if usual_cap is None else usual_cap
    return func.admit_v3(
        cast(tenant, Text), cast(key_id, Text), cast(price_usd, Price), cast(limit, Integer), literal(dry)
    )


def settle(changed: CTE, ended: ColumnElement[bool]) -> tuple[CTE, CTE]:
    """Return the parts of a change of jobs that settle those of them that it has `ended`: for tenants, and for keys.

    Their prices are no longer reserved, and their costs are spent: those of completed jobs, others have none. A tenant
    is locked only where there is something to settle; several in the order of their ids, so that two changes of many
    jobs never wait for each other in a circle. Its keys are changed after it, under its lock.
    """
    sums = _sums(changed, ended, changed.c.tenant)
    due = (
        select(tenants.c.id, sums.c.price, sums.c.cost)
        .join(sums, sums.c.owner == tenants.c.id)
        .order_by(tenants.c.id)
        .with_for_update(of=tenants, key_share=True)
        .cte("due")
    )
    settled = (
        update(tenants)
        .where(tenants.c.id == due.c.id)
        .values(_settled(tenants, due))
        .returning(tenants.c.id)
        .cte("settled")
    )
    sums = _sums(changed, ended, changed.c.key_id, changed.c.tenant)
    keys = select(sums).join(settled, settled.c.id == sums.c.tenant).cte("due_keys")
    return settled, (
        update(api_keys).where(api_keys.c.id == keys.c.owner).values(_settled(api_keys, keys)).cte("settled_keys")
    )


def _sums(changed: CTE, ended: ColumnElement[bool], owner: ColumnElement[str], *beside: ColumnElement[str]) -> Subquery:
    """Return prices and costs of the ended jobs by their `owner`, where there are any."""
    price, cost = func.sum(func.coalesce(changed.c.price_usd, 0)), func.sum(changed.c.cost)
    return (
        select(owner.label("owner"), *beside, price.label("price"), cost.label("cost"))
        .where(ended)
        .group_by(owner, *beside)
        .having(or_(price > 0, cost > 0))
        .subquery()
    )


def _settled(owners: Table, due: CTE) -> dict[str, ColumnElement[Any]]:
    return {
        # Never below zero: a wrong sum must not keep a finished job from its owner, and `recount` corrects it.
        "reserved_usd": func.greatest(owners.c.reserved_usd - due.c.price, 0),
        "spent_usd": owners.c.spent_usd + due.c.cost,
    }


def miscounted() -> CompoundSelect[Any]:
    """Return the tenants of which, or of a key of which, the reservation is not the sum of the unfinished jobs' prices.

    Changes that happen meanwhile make it return too many; `recount` leaves those as they are. It reads every
    unfinished job, so it is to be executed seldom.
    """
    of_tenants = _reserved(jobs.c.tenant)
    of_keys = _reserved(jobs.c.key_id)
    return union(
        select(tenants.c.id)
        .outerjoin(of_tenants, of_tenants.c.owner == tenants.c.id)
        .where(tenants.c.reserved_usd != func.coalesce(of_tenants.c.reserved, 0)),
        select(api_keys.c.tenant)
        .outerjoin(of_keys, of_keys.c.owner == api_keys.c.id)
        .where(api_keys.c.reserved_usd != func.coalesce(of_keys.c.reserved, 0)),
    )


def lock_tenant(tenant: str) -> Select[Any]:
    """Return the tenant, locked as a submit and an end of a job lock it."""
    return select(tenants.c.id).where(tenants.c.id == tenant).with_for_update(key_share=True)


def recount(tenant: str) -> Update:
    """Correct a tenant's reservation; returns its id, or no row where it is right.

    To be executed after `lock_tenant` in the same transaction: a change that others have not committed by then waits
    for the lock, and adds or takes its price afterwards.
    """
    prices = _prices(jobs.c.tenant == tenant)
    return (
        update(tenants)
        .where(tenants.c.id == tenant, tenants.c.reserved_usd != prices)
        .values(reserved_usd=prices)
        .returning(tenants.c.id)
    )


def recount_keys(tenant: str) -> Update:
    """Correct the reservations of a tenant's keys, as `recount` does; returns their ids."""
    prices = _prices(jobs.c.tenant == tenant, jobs.c.key_id == api_keys.c.id)
    return (
        update(api_keys)
        .where(api_keys.c.tenant == tenant, api_keys.c.reserved_usd != prices)
        .values(reserved_usd=prices)
        .returning(api_keys.c.id)
    )


def _prices(*of: ColumnElement[bool]) -> ScalarSelect[Any]:
    total = func.coalesce(func.sum(jobs.c.price_usd), 0)
    return select(total).where(*of, jobs.c.status.in_(ACTIVE)).correlate_except(jobs).scalar_subquery()


def _reserved(owner: ColumnElement[str]) -> Subquery:
    price = func.sum(func.coalesce(jobs.c.price_usd, 0)).label("reserved")
    return select(owner.label("owner"), price).where(jobs.c.status.in_(ACTIVE)).group_by(owner).subquery()
