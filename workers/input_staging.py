"""Staging of inputs: clean copies from the store into the folder of the attempt that needs them."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from core.errors.failures import InputUnreachable
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.storage.store import Store
from jobs.job import Job
from jobs.params.media import field_of, media_of


def wants_inputs(job: Job) -> bool:
    """Return whether the parameters of the job name any input."""
    return next(media_of(job.read_params()), None) is not None


def read(store: Store, key: str, target: Path) -> None:
    """Fetch an object as `store.get` does; a full disk of this machine is never reported as a full store."""
    try:
        store.get(key, target)
    except StorageUnavailable as error:
        raise StorageUnavailable(error.detail, reason=error.reason) from error


def stage(store: Store, job: Job, copies: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Copy every input of the job into `folder`, and return the files by the names of the inputs.

    `copies` are the keys of the clean copies. Raises `InputUnreachable` for a copy that does not exist, and
    `StorageUnavailable`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for medium in media_of(job.read_params()):
        key = copies.get(medium.name, "")
        file = folder / f"{medium.name}{PurePosixPath(key).suffix}"
        try:
            if not key:
                raise UnknownOutput
            read(store, key, file)
        except UnknownOutput:
            shown = field_of(medium.name)
            raise InputUnreachable(f"`{shown}`: its copy is no longer in the store; submit the job again.") from None
        files[medium.name] = str(file)
    return files
