"""The fields of a job that names its modality itself, where a route is not of one modality."""

from collections.abc import Mapping
from typing import Any

import msgspec

from api.http.spooled_body import decode
from api.submit.groups import at
from core.errors.fields import MissingField, OutOfRange
from jobs.params.registry import PARAMS_OF, AnyParams


def params_of(job: Mapping[str, Any], place: str = "$") -> AnyParams:
    """Return the parameters of a job: its `modality`, and the fields of the submit route of that.

    Raises what that route would raise, with fields below `place`.
    """
    modality = job.get("modality")
    if not isinstance(modality, str) or modality not in PARAMS_OF:
        names = ", ".join(PARAMS_OF)
        error = MissingField if modality is None else OutOfRange
        raise error(f"`modality` must be one of {names}.", field=f"{place}.modality")
    with at(place):
        params: AnyParams = decode(msgspec.json.encode(job), PARAMS_OF[modality])
    return params
