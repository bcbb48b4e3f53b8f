"""Statements about profiles, each of which is bound to a tenant."""

from typing import Any

from sqlalchemy import Insert, Select, Update, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.dml import ReturningDelete

from jobs.schema.tables import profiles
from jobs.statements.clauses import now


def add_profile(profile_id: str, tenant: str, *, name: str, snapshot: dict[str, Any], most: int) -> Insert:
    """Add a profile and return its row; no row where the tenant has `most` or more.

    Requests at the same moment may exceed the limit by their number.
    """
    present = select(func.count().label("number")).where(profiles.c.tenant == tenant).subquery()
    row = select(literal(profile_id), literal(tenant), literal(name), literal(snapshot, JSONB)).where(
        present.c.number < most
    )
    return profiles.insert().from_select(["id", "tenant", "name", "snapshot"], row).returning(*profiles.c)


def list_profiles(tenant: str) -> Select[Any]:
    """Return every profile of a tenant, newest first."""
    newest = profiles.c.created_at.desc(), profiles.c.id.desc()
    return select(*profiles.c).where(profiles.c.tenant == tenant).order_by(*newest)


def find_profile(profile_id: str, tenant: str) -> Select[Any]:
    """Return the tenant's profile of this id."""
    return select(*profiles.c).where(profiles.c.id == profile_id, profiles.c.tenant == tenant)


def change_profile(profile_id: str, tenant: str, *, name: str, snapshot: dict[str, Any]) -> Update:
    """Replace name and snapshot of a profile; returns the row, or none."""
    own = profiles.c.id == profile_id, profiles.c.tenant == tenant
    return update(profiles).where(*own).values(name=name, snapshot=snapshot, updated_at=now).returning(*profiles.c)


def forget_profile(profile_id: str, tenant: str) -> ReturningDelete[Any]:
    """Remove a profile; returns its id."""
    return delete(profiles).where(profiles.c.id == profile_id, profiles.c.tenant == tenant).returning(profiles.c.id)
