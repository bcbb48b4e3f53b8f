"""`weights.lock`: the facts of every file of every model. Generated, like any lock file; read at every load.

No torch, no numpy: the API may read it to say what is fetched.
"""

from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from pipelines.catalog.spec import CHECKOUT, Bundle, StoredAs
from pipelines.weights.files import is_pickle

SHIPPED = CHECKOUT / "weights.lock"


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size in bytes and sha256 in hexadecimal; `None` is unknown, and a load of such a file is refused."""

    size: int | None
    sha256: str | None


class Converted(Facts, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The facts of a conversion. One of safetensors says what was done: see `StoredAs` of the catalog."""

    dtype: Literal["bfloat16", "float16"] | None = None
    float32: tuple[str, ...] = ()

    @property
    def storing(self) -> StoredAs | None:
        """How safetensors were cast; `None` for a pickle."""
        return None if self.dtype is None else StoredAs(files="*", dtype=self.dtype, float32=self.float32)

    def is_of(self, storing: StoredAs) -> bool:
        """Return whether the catalog means this conversion."""
        return (self.dtype, self.float32) == (storing.dtype, storing.float32)


class LockedFile(Facts, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The facts of a file at its source, and those of its conversion.

    A pickle never lies in the model's folder: `atelier weights fetch` turns it into safetensors once, and the first
    conversion writes their facts here. So it does with safetensors that the catalog has stored in another precision;
    those may lie there as they are published until then. Safetensors of the same tensors are the same bytes, so every
    later conversion must give the same sha256.
    """

    converted: Converted | None = None

    def stored(self, size: int | None = None) -> Facts:
        """Return the facts of the file that has to lie in the folder; one of `size` bytes does.

        It is the conversion where there is one. Safetensors may also lie there as they are published.
        """
        made = self.converted
        if made is None or (made.dtype is not None and size == self.size):
            return self
        return made


class LockedModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Every file of one bundle by its path within the bundle's folder, and the source of a remote bundle."""

    files: dict[str, LockedFile]
    repo: str | None = None
    revision: str | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        for path in self.files:
            if not is_plain(path):
                raise ValueError(f"{path!r} does not stay in its folder")
        if len(self.on_disk()) < len(self.files):
            raise ValueError("a pickle and its safetensors are both named; choose one by `include` or `exclude`")

    @property
    def is_complete(self) -> bool:
        """Whether every fact is known; of a bundle without files none is."""
        return bool(self.files) and all(file.size is not None and file.sha256 for file in self.files.values())

    def is_of(self, bundle: Bundle) -> bool:
        """Return whether the catalog means these files."""
        source = bundle.source
        return (self.repo, self.revision, self.url) == (source.repo, source.revision, source.url)

    def on_disk(self, folder: Path | None = None) -> dict[str, Facts]:
        """Return the files that must lie in the folder: a pickle as its safetensors; see `LockedFile.stored`."""
        found = dict[str, Facts]()
        for path, file in self.files.items():
            name = converted_name(path) if is_pickle(path) else path
            lies = folder / name if folder else None
            found[name] = file.stored(lies.stat().st_size if lies and lies.is_file() else None)
        return found


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file: bundles by key."""

    models: dict[str, LockedModel] = {}
    version: int = 1


def is_plain(path: str) -> bool:
    """Return whether a path within a folder cannot lead out of it."""
    parts = PurePosixPath(path).parts
    return bool(parts) and path == "/".join(parts) and not {"/", "..", "."} & set(parts) and "\\" not in path


def converted_name(pickle: str) -> str:
    """Return the path of the safetensors of a pickle."""
    return str(PurePosixPath(pickle).with_suffix(".safetensors"))


def read_lock(path: Path | str | None = None) -> Lock:
    """Read the lock in `path`, or the one at the root of this repository.

    Raises `ValueError`, which names the file, when it cannot be read or is not a lock of version 1.
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
    """Write `lock` sorted and indented, so that the same facts give the same bytes; replaces the file atomically."""
    file = (Path(path) if path else SHIPPED).resolve()  # a symbolic link stays one
    text = msgspec.json.format(msgspec.json.encode(lock, order="deterministic"), indent=1)
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(text + b"\n")
    partial.replace(file)
