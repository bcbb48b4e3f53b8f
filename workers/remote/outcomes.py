"""What a request to a remote backend is made of, what comes of it, and what may go wrong."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from jobs.job import Job
from jobs.params.registry import AnyParams
from pipelines.catalog.backends import Backend, ModelBackend
from pipelines.catalog.spec import ModelSpec


class RemoteAway(Exception):
    """The backend did not make the job, for a reason that is not the job's.

    `problem` is the reason in one word. `may_have_computed`: so that the attempt is spent. `retry_after` is in seconds.
    """

    def __init__(self, problem: str, detail: str, *, may_have_computed: bool, retry_after: float = 0.0) -> None:
        super().__init__(f"{problem}: {detail}")
        self.problem = problem
        self.may_have_computed = may_have_computed
        self.retry_after = retry_after


class RemoteRefused(Exception):
    """The backend refused the job: another attempt there would not help. `detail` is for the job's owner."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RemoteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend is asked for: the job's parameters as the model makes them.

    `size` is width and height in pixels, of an image. `inputs` are clean files, by the names of the parameters.
    `folder` is where the files of the answer go.
    """

    job: Job
    spec: ModelSpec
    backend: Backend
    place: ModelBackend
    params: AnyParams
    size: tuple[int, int] | None
    inputs: Mapping[str, Path]
    folder: Path

    @property
    def model(self) -> str:
        """The model, as the backend calls it."""
        return self.place.model or self.spec.id


class RemoteFiles(msgspec.Struct, frozen=True):
    """The files that a backend has sent, in order and as it sent them, and what is to be said of them."""

    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()
    has_watermark: bool = False
    """Whether the backend has put the inaudible mark into speech already."""


Report = Callable[[float], None]
"""Called with the fraction that is done, 0 to 1."""


class RemoteJob(Protocol):
    """One job at a backend, in its protocol."""

    async def make(self) -> RemoteFiles:
        """Have the job made, and store its files. Raises `RemoteAway` and `RemoteRefused`; it may be cancelled."""

    async def abandon(self) -> None:
        """Have the backend stop working on it, if its protocol knows that."""
