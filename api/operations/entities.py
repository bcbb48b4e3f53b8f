"""Entities of a tenant: people, products and styles with pictures that tools take as references."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from api.http.auth import Caller
from api.http.database import Database
from core.errors.fields import NulInText, OutOfRange
from core.errors.limits import TooManyEntities
from core.errors.unknown import UnknownEntity
from core.ids import check_id, new_id
from core.settings import Settings
from jobs.statements.entities import add_entity, archive_entity, change_entity, find_entities, list_entities

PREFIX = "ent"
MOST_REFERENCES = 32


class EntityReference(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of an entity: an item of the media library."""

    media_id: str
    description: str = ""
    is_default: bool = False


class EntityOperations:
    """Operations on entities. With an `entity_id` they raise `MalformedId`, or `UnknownEntity` for a foreign one too.

    Texts with U+0000 are `NulInText`.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._limit = settings.max_entities

    async def add(self, caller: Caller, *, type_: str, name: str, description: str) -> Row[Any]:
        """Add an entity and return its row. Raises `TooManyEntities`."""
        _refuse_nul(name, description)
        added = add_entity(
            new_id(PREFIX), caller.tenant, type_=type_, name=name, description=description, most=self._limit
        )
        row = await self._database.row(added)
        if row is None:
            raise TooManyEntities(f"You have reached your limit of {self._limit} entities. {TooManyEntities.advice}")
        return row

    async def find(self, caller: Caller, entity_id: str) -> Row[Any]:
        """Return the row of an entity."""
        return _require(await self._database.row(find_entities([check_id(PREFIX, entity_id)], caller.tenant)))

    async def find_all(self, caller: Caller, entity_ids: Sequence[str]) -> list[Row[Any]]:
        """Return the rows of entities in the order of their ids."""
        if not entity_ids:
            return []
        asked = [check_id(PREFIX, entity_id) for entity_id in entity_ids]
        found = {row.id: row for row in await self._database.rows(find_entities(asked, caller.tenant))}
        return [_require(found.get(entity_id)) for entity_id in asked]

    async def page(
        self, caller: Caller, *, type_: str | None, limit: int, before: tuple[datetime, str] | None
    ) -> tuple[list[Row[Any]], Row[Any] | None]:
        """Return entities, newest first, and the last of them where another page follows."""
        rows = await self._database.rows(list_entities(caller.tenant, limit=limit + 1, type_=type_, before=before))
        page = list(rows[:limit])
        return page, page[-1] if len(rows) > limit else None

    async def change(self, caller: Caller, entity_id: str, *, name: str | None, description: str | None) -> Row[Any]:
        """Change the given fields and return the row."""
        _refuse_nul(name or "", description or "")
        given = {"name": name, "description": description}
        values = {field: value for field, value in given.items() if value is not None}
        changed = change_entity(check_id(PREFIX, entity_id), caller.tenant, values)
        return _require(await self._database.row(changed))

    async def archive(self, caller: Caller, entity_id: str) -> None:
        """Archive an entity: it is in no list any more, and tools do not take it."""
        _require(await self._database.row(archive_entity(check_id(PREFIX, entity_id), caller.tenant)))

    async def refer(self, caller: Caller, entity_id: str, reference: EntityReference) -> Row[Any]:
        """Add a picture to an entity, or change what is said of it. A default one is the only default.

        Raises `OutOfRange` beyond `MOST_REFERENCES`. That the picture is the caller's is for its caller to check.
        """
        _refuse_nul(reference.description)

        def with_it(references: list[EntityReference]) -> list[EntityReference]:
            others = [one for one in references if one.media_id != reference.media_id]
            if len(others) >= MOST_REFERENCES:
                raise OutOfRange(f"An entity has at most {MOST_REFERENCES} references; remove one first.")
            if reference.is_default:
                others = [msgspec.structs.replace(one, is_default=False) for one in others]
            return [*others, reference]

        return await self._change_references(caller, entity_id, with_it)

    async def unrefer(self, caller: Caller, entity_id: str, media_id: str) -> Row[Any]:
        """Remove a picture of an entity, if it is there."""
        return await self._change_references(
            caller, entity_id, lambda references: [one for one in references if one.media_id != media_id]
        )

    async def _change_references(self, caller: Caller, entity_id: str, change: Any) -> Row[Any]:
        check_id(PREFIX, entity_id)

        async def work(connection: AsyncConnection) -> Row[Any]:
            found = (await connection.execute(find_entities([entity_id], caller.tenant, lock=True))).first()
            kept = [msgspec.to_builtins(one) for one in change(references_of(_require(found)))]
            changed = change_entity(entity_id, caller.tenant, {"refs": kept})
            return (await connection.execute(changed)).one()

        return await self._database.transaction(work)


def references_of(row: Row[Any]) -> list[EntityReference]:
    """Return the pictures of an entity, in the order in which they were added."""
    return msgspec.convert(row.refs, list[EntityReference])


def _require(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise UnknownEntity
    return row


def _refuse_nul(*texts: str) -> None:
    if any("\0" in text for text in texts):
        raise NulInText
