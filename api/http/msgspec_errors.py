"""Errors of msgspec for a bad request, as the precise classes of `core.errors` with the field's path.

msgspec stops at the first fault and describes it in one of a few sentences; each has a pattern below.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import inspect

from api.http.suggestions import nearest
from core.errors.fields import InvalidJson, InvalidRequest, MissingField, OutOfRange, UnknownField, WrongType
from jobs.params.media import PICTURE, PICTURE_NAMES, field_of, picture_field

_SENTENCE = re.compile(r"(?P<fault>.*?)(?: - at (?P<key>`key` in )?`(?P<path>\$.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_GOT = re.compile(r"Expected `(.*)`, got `(.*)`")
_BOUND = re.compile(r"Expected `\w+` (<=|>=|<|>) (.*)")
_EMPTY = re.compile(r"Expected `\w+` of length >= 1")
_LENGTH = re.compile(r"Expected `(\w+)` of length (<=|>=) (.*)")
_MULTIPLE = re.compile(r"Expected `\w+` that's a multiple of (.*)")
_INVALID = re.compile(r"Invalid enum value '(.*)'", re.DOTALL)
_PATTERN = re.compile(r"Expected `str` matching regex (.*)")

_NAMES = {"str": "a string", "int": "a whole number", "float": "a number", "bool": "true or false"}
_NAMES |= {"array": "an array", "object": "an object", "null": "null"}
_WORDS = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}


def refusal(error: Exception, type_: Any = None, root: str = "$", picture: str = PICTURE) -> InvalidRequest:
    """Return the refusal for `error`, which `msgspec.json.decode(body, type=type_)` or `msgspec.convert` raised.

    `root` replaces the `$` of its path, for values that do not come from a body, and `picture` the name that the type
    has for its picture.
    """
    if not isinstance(error, msgspec.ValidationError):
        return InvalidJson(
            f"The body is not valid JSON ({error}); {InvalidJson.advice[0].lower()}{InvalidJson.advice[1:]}"
        )
    match = _SENTENCE.fullmatch(str(error))
    assert match is not None, "the pattern matches every text"
    fault, path = match["fault"], match["path"] or "$"
    if path == "$" and root == "$" and (got := _GOT.fullmatch(fault)):
        return InvalidJson(f"The body is {_name(got[2])}; {InvalidJson.advice[0].lower()}{InvalidJson.advice[1:]}")
    own = picture_field(type_)
    if own is not None and path == "$":
        fault = fault.replace(f"`{own}`", f"`{picture}`")
    elif own is not None and path == f"$.{own}":
        path = f"$.{picture}"
    return _about_field(fault, path, type_, root)


def _about_field(fault: str, path: str, type_: Any, root: str) -> InvalidRequest:
    if match := _MISSING.fullmatch(fault):
        return MissingField(f"`{match[1]}` is required; add it.", field=f"{root}{path[1:]}.{match[1]}")
    if match := _UNKNOWN.fullmatch(fault):
        return UnknownField(_unknown(match[1], type_), field=f"{root}{path[1:]}.{match[1]}")
    where = f"{root}{path[1:]}"
    if path == f"$.{_tag(type_)[0]}":
        refused = OutOfRange if fault.startswith("Invalid") else WrongType
        return refused(f"`{path[2:]}` must be {_tag(type_)[1]!r} here, or be left out.", field=where)
    name = where.removeprefix("$.").removeprefix("query.").removeprefix("header.")
    for kind, pattern, sentence in _FAULTS:
        if match := pattern.fullmatch(fault):
            return kind(f"`{name}` {sentence(match)}.", field=where)
    if fault.startswith("Invalid"):
        return OutOfRange(_not_among(fault, name, list(_allowed(type_, name.partition("[")[0]))), field=where)
    if fault.startswith(("Number out of range", "Integer value out of range")):
        return OutOfRange(f"`{name}` is too large a number; send a smaller one.", field=where)
    return WrongType(f"`{name}`: {fault}.", field=where)


_FAULTS: list[tuple[type[InvalidRequest], re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (WrongType, _GOT, lambda match: f"must be {_either(match[1])}, not {_name(match[2])}"),
    (OutOfRange, _BOUND, lambda match: f"must be {_WORDS[match[1]]} {match[2]}"),
    (OutOfRange, _EMPTY, lambda match: "must not be empty"),
    (OutOfRange, _LENGTH, lambda match: f"must have {_WORDS[match[2]]} {match[3]} {_units(match[1])}"),
    (OutOfRange, _MULTIPLE, lambda match: f"must be a multiple of {match[1]}"),
    (OutOfRange, _PATTERN, lambda match: f"must match the pattern {match[1]}"),
]


def _tag(type_: Any) -> tuple[str | None, str | int | None]:
    """Return the field by which a struct says what it is, and its one value there; None where it has none."""
    config = getattr(type_, "__struct_config__", None)
    return (None, None) if config is None else (config.tag_field, config.tag)


def _name(word: str) -> str:
    return _NAMES.get(word, word)


def _either(words: str) -> str:
    return " or ".join(_name(word) for word in words.split(" | "))


def _units(word: str) -> str:
    return "characters" if word == "str" else "entries"


def _unknown(name: str, type_: Any) -> str:
    known = [field.encode_name for field in msgspec.structs.fields(type_)] if type_ is not None else []
    if picture_field(type_) is not None:
        known += PICTURE_NAMES
    shown = name[:80]
    close = nearest(shown, known)
    return f"Unknown field `{shown}`; " + (f"did you mean `{field_of(close)}`?" if close else "remove it.")


def _not_among(fault: str, name: str, allowed: list[Any]) -> str:
    if not allowed:
        return f"`{name}`: {fault}."
    sent = _INVALID.fullmatch(fault)
    texts = [value for value in allowed if isinstance(value, str)]
    close = next(iter(difflib.get_close_matches(sent[1][:80], texts, n=1)), None) if sent else None
    advice = f"; did you mean {close!r}?" if close else "."
    return f"`{name}` must be one of {', '.join(map(repr, allowed))}{advice}"


def _allowed(type_: Any, name: str) -> Iterator[Any]:
    """Yield the values of a field whose type is a set of them."""
    if type_ is None:
        return
    info = inspect.type_info(type_)
    for field in info.fields if isinstance(info, inspect.StructType) else ():
        if field.encode_name == name:
            yield from _values(field.type)


def _values(info: inspect.Type) -> Iterator[Any]:
    if isinstance(info, inspect.LiteralType):
        yield from info.values
    elif isinstance(info, inspect.Metadata):
        yield from _values(info.type)
    elif isinstance(info, inspect.ListType | inspect.VarTupleType):
        yield from _values(info.item_type)
    elif isinstance(info, inspect.UnionType):
        for member in info.types:
            yield from _values(member)
