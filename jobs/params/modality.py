"""The descriptor of a modality, from which routes, commands, catalog and workers derive what they need."""

from collections.abc import Mapping
from typing import Any

import msgspec

from jobs.params.base import Params


class ModalitySpec(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of output that the service makes.

    `name` stands in rows, catalog entries, webhooks and routes (`/generate/<name>/v1`), and is the tag of `params`.
    `summary`, `note` (the second half of the description), `status_summary` and `examples` (a summary and a body each)
    are texts of its routes in the OpenAPI document.

    `word` is its verb on the command line and its folder in `pipelines/`. A command takes the field `argument` without
    an option, and spells the options of the fields in `flags` as listed there; that of a field in `switches` takes no
    value and sets the one listed there. `formats` are the endings of output files with the `output_format` of each.
    The output of one that `streams` can be had while it is made.
    """

    name: str
    params: type[Params]
    summary: str
    note: str
    status_summary: str
    examples: tuple[tuple[str, dict[str, Any]], ...]
    word: str
    argument: str
    formats: Mapping[str, str]
    flags: Mapping[str, tuple[str, ...]] = {}
    switches: Mapping[str, str] = {}
    streams: bool = False

    @property
    def path(self) -> str:
        """The path of the submit route."""
        return f"/generate/{self.name}/v1"
