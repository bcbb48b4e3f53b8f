"""The command line's client of the API: the SDK's, whose errors are sentences for the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import httpx
from msgspec.structs import replace

from atelier_client import Atelier
from atelier_client.calls import TIMEOUT, Call
from atelier_client.client import OnPreview
from atelier_client.errors import ApiError as SdkError
from atelier_client.files import check_writable
from atelier_client.models import JobRequest, MediaItem, OutputAnswer, ProgressEvent
from cli.http.problems import NO_ROUTE, ApiError, shown

T = TypeVar("T")

ALREADY_A_SOURCE = ("http://", "https://", "data:", "inp_", "voi_", "med_", "output:")


class Client(Atelier):
    """A client of one API with one key; a context manager that closes its connections.

    It asks once: who types a command sees what happened, and repeats it. Every method raises `ApiError`.
    """

    def __init__(self, url: str, key: str) -> None:
        if not key.isascii():
            raise ApiError("an API key has only letters of ASCII; this one was mistyped, or is another text")
        self.key = key
        super().__init__(url, key, retries=0, http=httpx.Client(timeout=TIMEOUT, trust_env=False))

    def source(self, text: str) -> str:
        """Return the value of a media field: a URL or an id as it is; a local file is uploaded and becomes its id."""
        if text.startswith(ALREADY_A_SOURCE):
            return text
        try:
            with _errors_shown():
                return self.upload(Path(text))
        except OSError as error:
            raise ApiError(f"{text}: {error.strerror}") from None

    def subscribe(
        self, job_id: str, *, timeout: float | None = None, on_preview: OnPreview | None = None
    ) -> Iterator[ProgressEvent]:
        """Yield the events of a job until it has ended."""
        with _errors_shown():
            yield from super().subscribe(job_id, timeout=timeout, on_preview=on_preview)

    def listen(self, job_id: str) -> Iterator[bytes]:
        """Yield the sound of a speech job, as it is made."""
        with _errors_shown():
            yield from super().listen(job_id)

    def add_media(self, file: Path | str, **facts: Any) -> MediaItem:
        """Bring a local file, or the file of a URL, to the media library."""
        try:
            with _errors_shown():
                return super().add_media(file, **facts)
        except OSError as error:
            raise ApiError(f"{file}: {error.strerror}") from None

    def known_request(self, job_id: str) -> JobRequest | None:
        """Return what a job was asked for; None where the API is too old to say."""
        try:
            return self.job_request(job_id)
        except ApiError as error:
            if error.code != NO_ROUTE:
                raise
            return None

    def download(self, output: OutputAnswer | str, target: Path) -> Path:
        """Download an output, or the URL of one; the file appears when it is complete."""
        try:
            return super().download(output, target)
        except OSError as error:
            raise ApiError(f"{target} cannot be written: {error.strerror}") from None

    def copy(self, output: OutputAnswer | str, file: BinaryIO) -> None:
        """Write an output into an open file. Raises also `OSError` where that cannot be written."""
        with _errors_shown():
            super().copy(output, file)

    def _send(self, call: Call[T]) -> T:
        with _errors_shown():
            return super()._send(replace(call, json=_readable(call.json)))


def refuse_unwritable(target: Path) -> None:
    """Raise `ApiError` for a file that `download` could not write, before anything is computed for it."""
    try:
        check_writable(target)
    except OSError as error:
        raise ApiError(f"{target} cannot be written: {error.strerror}") from None


@contextmanager
def _errors_shown() -> Iterator[None]:
    """Raise the errors of the SDK in the block as those of the command line."""
    try:
        yield
    except ApiError:
        raise
    except SdkError as error:
        raise shown(error) from None


def _readable(value: Any) -> Any:
    """Return JSON whose texts are those that were typed; under a locale without UTF-8 Python reads them as bytes."""
    if isinstance(value, dict):
        return {name: _readable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(one) for one in value]
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value
