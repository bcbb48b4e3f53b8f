"""Forms of OpenAI's clients: texts as the fields of a body, files beside them."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from api.dialects.form_parts import FormFile, receive_parts
from api.http.msgspec_errors import refusal
from api.http.strict_json import StrictRequest
from core.errors.fields import InvalidRequest, MissingField
from core.errors.unavailable import StorageUnavailable
from core.settings import Settings

T = TypeVar("T")


class OpenAIForm(msgspec.Struct, frozen=True):
    """A form that has arrived. Names of lists end in `[]`, as clients write them, or not."""

    texts: dict[str, list[str]]
    files: list[FormFile]

    def read(self, type_: type[T], *, also: tuple[str, ...] = ()) -> T:
        """Return the texts as a struct, without the fields `also`. Raises the precise `InvalidRequest`."""
        values: dict[str, Any] = {}
        for name, texts in self.texts.items():
            if name in also:
                continue
            if len(texts) > 1:
                raise InvalidRequest(f"`{name}` is there twice; send it once.", field=f"$.{name}")
            values[name] = texts[0]
        try:
            return msgspec.convert(values, type_, strict=False)
        except msgspec.ValidationError as error:
            raise refusal(error, type_) from None

    def files_of(self, *names: str) -> list[FormFile]:
        """Return the files in a field, by any of its names."""
        return [file for file in self.files if file.field.removesuffix("[]") in names]

    def check_files(self, *names: str) -> None:
        """Raise `InvalidRequest` for a file in a field that has none, and `MissingField` without one in the first."""
        for file in self.files:
            if file.field.removesuffix("[]") not in names:
                raise InvalidRequest(
                    f"`{file.field[:80]}` is not a file here; remove it.", field=f"$.{file.field[:80]}"
                )
        if names and not self.files_of(names[0]):
            raise MissingField(f"`{names[0]}` is required, as a file of the form; add it.", field=f"$.{names[0]}")


@asynccontextmanager
async def received_form(request: StrictRequest, settings: Settings, limit: int) -> AsyncIterator[OpenAIForm]:
    """Receive the form of a request; its files are there until the block ends. `limit` is bytes of all of them.

    Raises what `receive_parts` raises, and `StorageUnavailable`.
    """
    request.check_encoding()
    with tempfile.TemporaryDirectory(prefix="atelier-form-", dir=settings.scratch_dir or None) as folder:
        try:
            parts = await receive_parts(request, Path(folder), limit)
        except OSError as error:
            raise StorageUnavailable(f"Not enough space to receive the form: {error.strerror}.") from error
        request.note_digest(parts.digest)
        yield OpenAIForm(parts.texts, parts.files)
