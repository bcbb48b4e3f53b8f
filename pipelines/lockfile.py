"""`weights.lock`: which file of which model is the right one. Generated, like any lock file; read at every
load.

No torch, no numpy: the API may read it to say what is fetched.
"""

from pathlib import Path

import msgspec

from pipelines.spec import CHECKOUT

SHIPPED = CHECKOUT / "weights.lock"


class LockedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size in bytes and sha256 in hexadecimal; `None` is not known yet, and a load of it is refused."""

    size: int | None
    sha256: str | None


class LockedModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every file of one model by its path within the model's folder; `repo` and `revision` of a hub model."""

    files: dict[str, LockedFile]
    repo: str | None = None
    revision: str | None = None


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file: models by id."""

    models: dict[str, LockedModel] = {}
    version: int = 1


def read_lock(path: Path | str | None = None) -> Lock:
    """The lock in `path`, or the one at the root of this repository.

    Raises `ValueError` that names the file when it can not be read or is no lock of version 1.
    """
    file = Path(path) if path else SHIPPED
    try:
        lock = msgspec.json.decode(file.read_bytes(), type=Lock)
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ValueError(f"{file}: {error}") from None
    if lock.version != 1:
        raise ValueError(f"{file}: version {lock.version} is not known; this Atelier reads version 1")
    return lock


def write_lock(lock: Lock, path: Path | str | None = None) -> None:
    """Write `lock` sorted and indented, so that the same facts give the same bytes; replaces the file at
    once."""
    file = Path(path) if path else SHIPPED
    text = msgspec.json.format(msgspec.json.encode(lock, order="deterministic"), indent=1)
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(text + b"\n")
    partial.replace(file)
