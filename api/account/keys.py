"""The keys of a tenant: making, finding and revoking them; and the account behind a key."""

from datetime import datetime
from importlib.metadata import version
from typing import Any

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.http.auth import Caller
from api.http.database import Database
from core.errors.access import NotEntitled, Unauthenticated
from core.errors.fields import NulInText, OutOfRange
from core.errors.limits import TooManyKeys
from core.errors.unknown import UnknownKey
from core.ids import check_id, new_id
from core.settings import Settings
from core.signing import key_digest, new_key
from jobs.scopes import beyond, granted
from jobs.statements import api_keys
from jobs.wire.account.keys import KeyAnswer, KeyChange, KeyWithSecret, MeAnswer, NewKey, TenantChange

TENANTS = "tenants:write"
"""The scope of a key that may make, find and revoke keys of every tenant."""


class KeyOperations:
    """Operations on keys. A key gives no more than it has, and an operator's reaches the keys of every tenant."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def add(self, caller: Caller, new: NewKey) -> KeyWithSecret:
        """Make a key. Raises `NotEntitled`, `OutOfRange`, `NulInText` and `TooManyKeys`."""
        _refuse_nul(name=new.name, tenant=new.tenant)
        too_much = beyond(new.scopes, caller.scopes)
        if too_much:
            raise NotEntitled(
                f"Your key may not give the scope `{too_much[0]}`, which it does not have; leave it out, or use a key "
                "that has it.",
                needs=too_much[0],
                field="$.scopes",
            )
        ceiling = caller.priority_ceiling if new.priority_ceiling is None else new.priority_ceiling
        if ceiling > caller.priority_ceiling:
            raise OutOfRange(
                f"`priority_ceiling` must be at most {caller.priority_ceiling}, as your own key's.",
                field="$.priority_ceiling",
            )
        key, key_id, most = new_key(), new_id("key"), self._settings.max_keys
        digest = key_digest(self._settings.secret_key, key)

        async def work(connection: AsyncConnection) -> Row[Any]:
            tenant = caller.tenant
            if new.tenant is not None:
                tenant = await self._tenant(connection, caller, new.tenant)
            added = api_keys.add_key(
                key_id,
                tenant,
                name=new.name.strip(),
                digest=digest,
                priority_ceiling=ceiling,
                scopes=new.scopes,
                expires_in=new.expires_in_seconds,
                budget_usd=new.budget_usd,
                most=most,
            )
            if (await connection.execute(added)).first() is None:
                raise TooManyKeys(f"You have reached the limit of {most} valid keys. {TooManyKeys.advice}")
            row: Row[Any] = (await connection.execute(api_keys.find_key(key_id, tenant))).one()
            return row

        row = await self._database.transaction(work)
        return KeyWithSecret(key=key, **_facts(row))

    async def page(
        self, caller: Caller, tenant: str | None, *, limit: int, before: tuple[datetime, str] | None
    ) -> tuple[list[KeyAnswer], Row[Any] | None]:
        """Return a page of keys, of the caller's tenant or of the one named, and its last row where another follows.

        Raises `NotEntitled` for the tenant of others.
        """
        owner = caller.tenant
        if tenant is not None:
            row = await self._database.row(api_keys.tenant_by_name(tenant))
            owner = "" if row is None else row.id
            _check_tenant(caller, owner, "query.tenant")
        rows = await self._database.rows(api_keys.keys_page(owner, limit=limit + 1, before=before))
        return [KeyAnswer(**_facts(row)) for row in rows[:limit]], rows[limit - 1] if len(rows) > limit else None

    async def find(self, caller: Caller, key_id: str) -> KeyAnswer:
        """Return a key. Raises `MalformedId` or `UnknownKey`."""
        row = await self._database.row(api_keys.find_key(check_id("key", key_id), _reach(caller)))
        if row is None:
            raise UnknownKey
        return KeyAnswer(**_facts(row))

    async def change(self, caller: Caller, key_id: str, change: KeyChange) -> KeyAnswer:
        """Change a key. Raises what `find` raises, and `NulInText`."""
        _refuse_nul(name=change.name)
        values = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not msgspec.UNSET}
        if values:
            await self._database.row(api_keys.change_key(check_id("key", key_id), _reach(caller), values))
        return await self.find(caller, key_id)

    async def revoke(self, caller: Caller, key_id: str) -> None:
        """Revoke a key; a revoked one stays as it is. Raises what `find` raises."""
        if await self._database.row(api_keys.revoke_key(check_id("key", key_id), _reach(caller))) is None:
            await self.find(caller, key_id)

    async def account(self, caller: Caller) -> MeAnswer:
        """Return the caller's key and tenant. Raises `Unauthenticated` for a key whose row is gone."""
        row = await self._database.row(api_keys.account(caller.key_id))
        if row is None:
            raise Unauthenticated
        settings = self._settings
        usual = settings.max_waiting_jobs
        return MeAnswer(
            key_id=row.id,
            key_name=row.name,
            tenant_id=row.tenant,
            tenant=row.tenant_name,
            scopes=tuple(row.scopes),
            granted=tuple(sorted(granted(tuple(row.scopes)))),
            priority_ceiling=row.priority_ceiling,
            expires_at=row.expires_at,
            budget_usd=row.tenant_budget_usd,
            spent_usd=row.tenant_spent_usd,
            reserved_usd=row.tenant_reserved_usd,
            key_budget_usd=row.budget_usd,
            key_spent_usd=row.spent_usd,
            key_reserved_usd=row.reserved_usd,
            balance_remaining_usd=row.balance,
            max_unfinished_jobs=usual if row.tenant_max_waiting_jobs is None else row.tenant_max_waiting_jobs,
            max_running_jobs=row.tenant_max_running_jobs,
            max_streams=settings.max_streams,
            paused_at=row.tenant_paused_at,
            local_only=row.tenant_local_only,
            requests_per_second=settings.rate_limit or None,
            public_url=settings.public_url,
            version=version("atelier"),
        )

    async def change_tenant(self, caller: Caller, change: TenantChange) -> MeAnswer:
        """Change the caller's tenant, and return what `account` returns."""
        await self._database.row(api_keys.set_local_only(caller.tenant, change.local_only))
        return await self.account(caller)

    async def _tenant(self, connection: AsyncConnection, caller: Caller, name: str) -> str:
        """Return the id of a tenant by its name; an operator's request makes a new one."""
        row = (await connection.execute(api_keys.tenant_by_name(name))).first()
        _check_tenant(caller, "" if row is None else row.id, "$.tenant")
        tenant: str = (await connection.execute(api_keys.ensure_tenant(name))).scalar_one()
        return tenant


def _refuse_nul(**texts: object) -> None:
    for name, value in texts.items():
        if isinstance(value, str) and "\0" in value:
            raise NulInText(f"Remove the NUL character (U+0000) from `{name}`.", field=f"$.{name}")


def _check_tenant(caller: Caller, tenant: str, field: str) -> None:
    """Raise `NotEntitled` for another tenant than the caller's, unless the caller is an operator."""
    if tenant != caller.tenant and not caller.may(TENANTS):
        raise NotEntitled(
            "Keys of another tenant are an operator's to make and to see; leave `tenant` out.",
            needs=TENANTS,
            field=field,
        )


def _reach(caller: Caller) -> str | None:
    """Return the tenant whose keys the caller may name; None for all."""
    return None if caller.may(TENANTS) else caller.tenant


def _facts(row: Row[Any]) -> dict[str, Any]:
    return {
        "key_id": row.id,
        "name": row.name,
        "tenant": row.tenant_name,
        "scopes": tuple(row.scopes),
        **{
            name: getattr(row, name)
            for name in (
                *("priority_ceiling", "valid", "created_at", "expires_at", "last_used_at", "revoked_at"),
                *("budget_usd", "spent_usd", "reserved_usd"),
            )
        },
    }
