"""The structs of the API as the SDKs are written from them."""

from collections.abc import Iterator

import msgspec
from msgspec import inspect as types

from jobs.params.registry import MODALITIES
from jobs.params.requests.storyboard import StoryboardParams


def ordered(roots: tuple[type[msgspec.Struct], ...]) -> list[type[msgspec.Struct]]:
    """Return the structs and those that their fields are made of, each after what it is made of."""
    found: dict[type[msgspec.Struct], None] = {}

    def add(cls: type[msgspec.Struct]) -> None:
        for field in types.type_info(cls).fields:  # type: ignore[attr-defined]
            for part in _structs_in(field.type):
                if part is not cls and part not in found:
                    add(part)
        found.setdefault(cls)

    for root in roots:
        add(root)
    return list(found)


def _structs_in(type_: types.Type) -> Iterator[type[msgspec.Struct]]:
    match type_:
        case types.StructType(cls=cls):
            yield cls
        case types.Metadata(type=inner):
            yield from _structs_in(inner)
        case types.UnionType(types=inner):
            for one in inner:
                yield from _structs_in(one)
        case types.TupleType(item_types=items):
            for item in items:
                yield from _structs_in(item)
        case types.ListType(item_type=item) | types.VarTupleType(item_type=item):
            yield from _structs_in(item)
        case types.DictType(value_type=value):
            yield from _structs_in(value)


def parts_of_requests() -> list[type[msgspec.Struct]]:
    """Return the structs that fields of the parameters of modalities and storyboards are made of."""
    roots = [*(modality.params for modality in MODALITIES), StoryboardParams]
    return [struct for struct in ordered(tuple(roots)) if struct not in roots]


def fields_of(cls: type[msgspec.Struct]) -> list[types.Field]:
    """Return the fields of a struct."""
    fields: list[types.Field] = list(types.type_info(cls).fields)  # type: ignore[attr-defined]
    return fields


def base_of(cls: type[msgspec.Struct], answers: tuple[type[msgspec.Struct], ...]) -> type[msgspec.Struct] | None:
    """Return the answer of which a struct is a special one, if there is one."""
    return next((base for base in cls.__mro__[1:] if base in answers), None)


def own_fields(cls: type[msgspec.Struct], answers: tuple[type[msgspec.Struct], ...]) -> list[types.Field]:
    """Return the fields that a struct has beside those of its base."""
    base = base_of(cls, answers)
    known = {field.name for field in fields_of(base)} if base else set[str]()
    return [field for field in fields_of(cls) if field.name not in known]


def description(type_: types.Type) -> str | None:
    """Return the description in the metadata of a type, if it has one."""
    match type_:
        case types.Metadata(type=inner, extra_json_schema=schema):
            found: str | None = (schema or {}).get("description")
            return found or description(inner)
        case types.UnionType(types=inner):
            return next(filter(None, map(description, inner)), None)
    return None
