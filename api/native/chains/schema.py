"""The body that asks for a chain."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from api.chains.submissions import NewStep
from api.submit.job_fields import params_of
from core.errors.fields import InvalidRequest
from jobs.chains.chain import MOST_STEPS
from jobs.params.base import Url

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class ChainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chain to make."""

    steps: Annotated[
        tuple[dict[str, Any], ...],
        Meta(
            min_length=1,
            max_length=MOST_STEPS,
            description="Each has its `modality` and the fields of the submit route of that modality, and a `name` (by "
            "default its place, from 1). `step:<name>` in a field that takes a picture, a film or a sound is the first "
            "output of that earlier step, `step:<name>/1` its second one.",
        ),
    ]
    callback_url: Annotated[Url, Meta(description="Receives one signed webhook when the chain ends.")] | None = None

    def new_steps(self) -> list[NewStep]:
        """Return the steps. Raises what the route of a modality would, with the step's place."""
        return [_step(one, number) for number, one in enumerate(self.steps)]


def place_of(number: int) -> str:
    """Return where a step is in the body."""
    return f"$.steps[{number}]"


def _step(step: dict[str, Any], number: int) -> NewStep:
    name = step.get("name", str(number + 1))
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise InvalidRequest(
            "`name` must have 1 to 40 small letters, digits, - and _, and begin with a letter or a digit.",
            field=f"{place_of(number)}.name",
        )
    fields = {field: value for field, value in step.items() if field != "name"}
    return NewStep(name, params_of(fields, place_of(number)))
