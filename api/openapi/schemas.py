"""The schemas of the service's structs, as msgspec decodes and encodes them.

Litestar's own lose bounds of zero, those of what may be null, the patterns of items, and that other fields are refused.
"""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec.base import BaseSchemaObject

from api.openapi.descriptions import DESCRIPTIONS
from jobs.params.media import field_of, picture_field

WINGS = ("api", "jobs")
"""The wings that have structs of bodies and answers."""
REF = "#/components/schemas/{name}"

JsonSchema = dict[str, Any]


@dataclass
class Verbatim(BaseSchemaObject):
    """JSON that the document shows as it is; of other values the framework leaves out what is null."""

    json: Any

    def to_schema(self) -> Any:
        """Return the JSON."""
        return self.json


def struct_schemas(names: Iterable[str]) -> dict[str, Verbatim]:
    """Return the schemas of the structs of these names, and of what they refer to, by their names."""
    wanted = set(names)
    structs = [struct for struct in _structs(msgspec.Struct) if struct.__name__ in wanted]
    schemas = msgspec.json.schema_components(structs, ref_template=REF)[1]
    for struct in structs:
        _make_tag_optional(schemas[struct.__name__], struct)
        _name_picture(schemas[struct.__name__], struct)
    for name, schema in schemas.items():
        _describe(schema, name)
    return {name: Verbatim(tidy(schema)) for name, schema in schemas.items()}


def tidy(schema: JsonSchema) -> JsonSchema:
    """Return a schema as generators of clients read it.

    Texts have no indentation, and stand beside a choice instead of in it. A tuple of equal items is an array of them,
    whose length has bounds in any case.
    """
    tidied = {key: _tidy_value(value) for key, value in schema.items()}
    choices = tidied.get("anyOf", ())
    described = [choice for choice in choices if "description" in choice]
    if len(described) == 1:
        tidied["description"] = described[0].pop("description")
    items = tidied.get("prefixItems", ())
    if items and all(item == items[0] for item in items):
        del tidied["prefixItems"]
        tidied["items"] = items[0]
    return tidied


def _tidy_value(value: Any) -> Any:
    if isinstance(value, dict):
        return tidy(value)
    if isinstance(value, list):
        return [_tidy_value(one) for one in value]
    return inspect.cleandoc(value) if isinstance(value, str) else value


def _structs(root: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for struct in root.__subclasses__():
        if struct.__module__.partition(".")[0] in WINGS:
            yield struct
        yield from _structs(struct)


def _make_tag_optional(schema: JsonSchema, struct: type[msgspec.Struct]) -> None:
    """Make the tag of a struct optional: a request names its modality by its route."""
    tag = struct.__struct_config__.tag_field
    if tag is not None:
        schema["required"].remove(tag)
        schema["properties"][tag]["description"] = "May be left out: the route says it."


def _name_picture(schema: JsonSchema, struct: type[msgspec.Struct]) -> None:
    """Give the picture of a modality the name that all of them have."""
    own = picture_field(struct)
    if own is not None:
        schema["properties"] = {field_of(name): facts for name, facts in schema["properties"].items()}
        schema["required"] = [field_of(name) for name in schema.get("required", ())]


def _describe(schema: JsonSchema, struct: str) -> None:
    """Describe the properties that their type does not describe."""
    for name, facts in schema.get("properties", {}).items():
        text = DESCRIPTIONS.get(f"{struct}.{name}", DESCRIPTIONS.get(name))
        if text is not None and "description" not in facts:
            schema["properties"][name] = {**facts, "description": text}
