"""Files with one JSON object on each line, and refusals that name the line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import msgspec
import rich_click as click

from cli.http.problems import ApiError


class ObjectLines(msgspec.Struct, frozen=True):
    """The objects of a file, and the line of each, from 1; empty lines are left out."""

    file: str
    objects: tuple[dict[str, Any], ...]
    numbers: tuple[int, ...]

    @contextmanager
    def named(self, field: str) -> Iterator[None]:
        """Raise a refusal in the block with a line of the file in the place of an entry of the request's `field`."""

        def place(match: re.Match[str]) -> str:
            line = f"line {self.numbers[int(match[1])]} of {self.file}"
            return f"{line}: {match[2]}" if match[2] else line

        try:
            yield
        except ApiError as error:
            text = re.sub(rf"field \$\.{field}\[(\d+)\](?:\.([^\s)]+))?", place, error.message)
            raise type(error)(text, error.code) from None


def read_object_lines(file: BinaryIO) -> ObjectLines:
    """Read one JSON object from each line. Raises `ClickException` with the line that has none."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    objects, numbers = list[dict[str, Any]](), list[int]()
    for number, line in enumerate(file.read().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            objects.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            text = f"line {number} of {file.name}: {error}; write one JSON object on each line"
            raise click.ClickException(text) from None
        numbers.append(number)
    return ObjectLines(file.name, tuple(objects), tuple(numbers))
