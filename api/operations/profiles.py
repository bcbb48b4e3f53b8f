"""The profiles of a tenant: adding, finding, changing and removing them."""

from typing import Any

import msgspec
from sqlalchemy import Row

from api.http.database import Database
from core.errors.fields import NulInText
from core.errors.limits import TooManyProfiles
from core.errors.unknown import UnknownProfile
from core.ids import check_id, new_id
from core.settings import Settings
from jobs.profiles import NewProfile, ProfileChange, ProfileSnapshot, changed_snapshot, snapshot_of
from jobs.statements import profiles
from jobs.wire.values import UtcTime


class ProfileAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A profile and its defaults."""

    profile_id: str
    name: str
    adapter_snapshot: ProfileSnapshot
    created_at: UtcTime
    updated_at: UtcTime


class ProfileList(msgspec.Struct, frozen=True):
    """Your profiles, newest first, all on one page, and how many there are."""

    profiles: list[ProfileAnswer]
    total: int


class ProfileOperations:
    """Operations on profiles, each in one statement."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._limit = settings.max_profiles

    async def add(self, tenant: str, new: NewProfile) -> ProfileAnswer:
        """Add a profile. Raises `TooManyProfiles` and `NulInText`."""
        snapshot = msgspec.convert(msgspec.to_builtins(new), ProfileSnapshot)
        statement = profiles.add_profile(
            new_id("prf"), tenant, name=new.name.strip(), snapshot=_stored(new.name, snapshot), most=self._limit
        )
        row = await self._database.row(statement)
        if row is None:
            raise TooManyProfiles(f"You have reached your limit of {self._limit} profiles. {TooManyProfiles.advice}")
        return _answer(row)

    async def page(self, tenant: str) -> ProfileList:
        """Return the tenant's profiles."""
        rows = await self._database.rows(profiles.list_profiles(tenant))
        answers = [_answer(row) for row in rows]
        return ProfileList(answers, len(answers))

    async def find(self, tenant: str, profile_id: str) -> ProfileAnswer:
        """Return the tenant's profile. Raises `MalformedId` or `UnknownProfile`."""
        return _answer(_known(await self._database.row(profiles.find_profile(check_id("prf", profile_id), tenant))))

    async def change(self, tenant: str, profile_id: str, change: ProfileChange) -> ProfileAnswer:
        """Change a profile; jobs that are there keep what they have. Raises what `find` raises, and `NulInText`."""
        found = await self.find(tenant, profile_id)
        snapshot = changed_snapshot(found.adapter_snapshot, change)
        name = change.name.strip() if isinstance(change.name, str) else found.name
        changed = profiles.change_profile(profile_id, tenant, name=name, snapshot=_stored(name, snapshot))
        return _answer(_known(await self._database.row(changed)))

    async def remove(self, tenant: str, profile_id: str) -> None:
        """Remove a profile. Raises what `find` raises."""
        _known(await self._database.row(profiles.forget_profile(check_id("prf", profile_id), tenant)))


def _stored(name: str, snapshot: ProfileSnapshot) -> dict[str, Any]:
    """Return a snapshot as its row has it. Raises `NulInText`."""
    row: dict[str, Any] = msgspec.to_builtins(snapshot)
    if "\0" in name:
        raise NulInText("Remove the NUL character (U+0000) from `name`.", field="$.name")
    for field, value in row.items():
        if any(
            isinstance(text, str) and "\0" in text for text in (value if isinstance(value, list | tuple) else [value])
        ):
            raise NulInText(f"Remove the NUL character (U+0000) from `{field}`.", field=f"$.{field}")
    return row


def _known(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise UnknownProfile
    return row


def _answer(row: Row[Any]) -> ProfileAnswer:
    return ProfileAnswer(
        profile_id=row.id,
        name=row.name,
        adapter_snapshot=snapshot_of(row.snapshot),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
