"""The profile of a submission: its defaults, before anything else is checked."""

from collections.abc import Mapping
from typing import Any

import msgspec

from api.http.database import Database
from core.errors.fields import NoSuchProfile, OutOfRange
from core.ids import is_id
from jobs.params.image import ImageParams
from jobs.params.registry import AnyParams
from jobs.profiles import apply_profile, snapshot_of
from jobs.statements.profiles import find_profile

PREFIX = "prf"
LONGEST_PROMPT = 4000


async def with_profile(database: Database, tenant: str, params: AnyParams, defaults: Mapping[str, Any]) -> AnyParams:
    """Return the parameters with the defaults of the profile that they name, if any.

    `defaults` are those of the route that differ from the parameters' own. Raises `NoSuchProfile`, and `OutOfRange` for
    a prompt that has become too long.
    """
    if not isinstance(params, ImageParams) or params.profile_id is None:
        return params
    found = is_id(PREFIX, params.profile_id)
    row = await database.row(find_profile(params.profile_id, tenant)) if found else None
    if row is None:
        raise NoSuchProfile(field="$.profile_id")
    made = apply_profile(params, snapshot_of(row.snapshot), defaults)
    if len(made.prompt) > LONGEST_PROMPT:
        raise OutOfRange(
            f"`prompt` has more than {LONGEST_PROMPT} characters with the template of the profile; shorten it.",
            field="$.prompt",
        )
    return msgspec.structs.replace(made, profile_id=params.profile_id)
