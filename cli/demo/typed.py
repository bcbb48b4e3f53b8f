"""The command line that makes what a request makes."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import rich_click as click

from cli.commands.client.request_options import request_options
from jobs.params.modality import ModalitySpec


def command_line(modality: ModalitySpec, fields: Mapping[str, Any], file: str) -> str:
    """Return the words after `atelier` that submit the fields and write the file, quoted for a shell.

    The ending of the file is the format. Raises `KeyError` for a field that has no option.
    """
    argument, *options = request_options(modality)
    by_name = {option.name: option for option in options if isinstance(option, click.Option)}
    words = ["generate", modality.word, *_values(fields.get(argument.name or "", ()))]
    for name, value in fields.items():
        if name not in (argument.name, "output_format"):
            words += _typed(by_name[name], value)
    return shlex.join([*words, "-o", file])


def _typed(option: click.Option, value: Any) -> Iterator[str]:
    """Yield the words that set an option."""
    flag = max(option.opts, key=len)
    if option.is_flag:
        if value == option.flag_value:
            yield flag
        return
    for one in _values(value):
        yield from (flag, one)


def _values(value: Any) -> list[str]:
    """Return the values of a field, one as a list; pairs with a colon."""
    if isinstance(value, Mapping):
        return [f"{name}:{one}" for name, one in value.items()]
    return [*map(str, value)] if isinstance(value, list | tuple) else [str(value)]
