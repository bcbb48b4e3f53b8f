"""The filter by labels of a listing: `label=key:value`, several times for all of several."""

from collections.abc import Sequence
from typing import Annotated

from litestar.params import QueryParameter

from core.errors.fields import InvalidRequest, NulInText
from jobs.params.base import MAX_LABELS

LabelFilter = Annotated[
    list[str] | None,
    QueryParameter(description="Only what has this label, as `key:value`; several times for all of several."),
]


def read_labels(given: Sequence[str] | None) -> dict[str, str]:
    """Return the labels that a listing is filtered by. Raises `InvalidRequest`."""
    labels: dict[str, str] = {}
    for text in given or ():
        key, colon, value = text.partition(":")
        if not (key and colon):
            raise InvalidRequest(
                "`label` must be a key, a colon and a value: `label=season:spring`.", field="query.label"
            )
        if "\0" in text:
            raise NulInText(field="query.label")
        labels[key] = value
    if len(labels) > MAX_LABELS:
        raise InvalidRequest(f"Filter by at most {MAX_LABELS} labels.", field="query.label")
    return labels
