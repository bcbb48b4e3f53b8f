"""Statements about a tenant's budget: what its jobs have cost, and what is reserved for those that have not ended.

A submit reserves the price of its job, or is refused; the change that ends the job settles it. Whatever happens at the
same time, `spent_usd + reserved_usd` never exceeds the budget by a submit. The database's function `admit_v2` asks, in
queries of its own: only those see what was committed while they waited for the tenant's lock.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    Text,
    Update,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    update,
)

from jobs.job import ACTIVE
from jobs.schema.tables import jobs, tenants

SPENT, FULL = "AT402", "AT429"
"""SQLSTATEs of `admit`: the budget has no room for the price; the tenant has as many unfinished jobs as it may."""

Price = Numeric(14, 6)

BALANCE = "tenants.budget_usd - tenants.spent_usd - tenants.reserved_usd"
"""SQL of the US dollars that a tenant may still spend on further jobs; null without a budget."""


def admit(
    tenant: ColumnElement[str] | str,
    price_usd: ColumnElement[Any] | float,
    usual_cap: ColumnElement[Any] | int | None = None,
    *,
    dry: bool = False,
) -> ColumnElement[bool]:
    """Return the call that lets a job in and reserves its price until the job's end; with `dry` it only asks.

    `usual_cap` is the highest number of unfinished jobs of a tenant that has no number of its own; None stands for any
    number, of every tenant. A refusal is an error with `SPENT` or `FULL` as its SQLSTATE, so that nothing else of the
    statement happens either; `FULL` has the cap as its message.
    """
    limit = null() if usual_cap is None else usual_cap
    return func.admit_v2(cast(tenant, Text), cast(price_usd, Price), cast(limit, Integer), literal(dry))


def settle(changed: CTE, ended: ColumnElement[bool]) -> CTE:
    """Return the part of a change of jobs that settles those of them that it has `ended`.

    Their prices are no longer reserved, and their costs are spent: those of completed jobs, others have none. A tenant
    is locked only where there is something to settle; several in the order of their ids, so that two changes of many
    jobs never wait for each other in a circle.
    """
    price, cost = func.sum(func.coalesce(changed.c.price_usd, 0)), func.sum(changed.c.cost)
    sums = (
        select(changed.c.tenant, price.label("price"), cost.label("cost"))
        .where(ended)
        .group_by(changed.c.tenant)
        .having(or_(price > 0, cost > 0))
        .subquery("sums")
    )
    due = (
        select(tenants.c.id, sums.c.price, sums.c.cost)
        .join(sums, sums.c.tenant == tenants.c.id)
        .order_by(tenants.c.id)
        .with_for_update(of=tenants, key_share=True)
        .cte("due")
    )
    return (
        update(tenants)
        .where(tenants.c.id == due.c.id)
        .values(
            # Never below zero: a wrong sum must not keep a finished job from its owner, and `recount` corrects it.
            reserved_usd=func.greatest(tenants.c.reserved_usd - due.c.price, 0),
            spent_usd=tenants.c.spent_usd + due.c.cost,
        )
        .cte("settled")
    )


def miscounted() -> Select[Any]:
    """Return the tenants whose reservation is not the sum of the prices of their unfinished jobs.

    Changes that happen meanwhile make it return too many; `recount` leaves those as they are. It reads every
    unfinished job, so it is to be executed seldom.
    """
    prices = (
        select(jobs.c.tenant, func.sum(func.coalesce(jobs.c.price_usd, 0)).label("reserved"))
        .where(jobs.c.status.in_(ACTIVE))
        .group_by(jobs.c.tenant)
        .subquery("prices")
    )
    return (
        select(tenants.c.id)
        .outerjoin(prices, prices.c.tenant == tenants.c.id)
        .where(tenants.c.reserved_usd != func.coalesce(prices.c.reserved, 0))
    )


def lock_tenant(tenant: str) -> Select[Any]:
    """Return the tenant, locked as a submit and an end of a job lock it."""
    return select(tenants.c.id).where(tenants.c.id == tenant).with_for_update(key_share=True)


def recount(tenant: str) -> Update:
    """Correct a tenant's reservation; returns its id, or no row where it is right.

    To be executed after `lock_tenant` in the same transaction: a change that others have not committed by then waits
    for the lock, and adds or takes its price afterwards.
    """
    prices = (
        select(func.coalesce(func.sum(jobs.c.price_usd), 0))
        .where(jobs.c.tenant == tenant, jobs.c.status.in_(ACTIVE))
        .scalar_subquery()
    )
    return (
        update(tenants)
        .where(tenants.c.id == tenant, tenants.c.reserved_usd != prices)
        .values(reserved_usd=prices)
        .returning(tenants.c.id)
    )
