"""Weights on disk against `weights.lock`: nothing is parsed before every byte of the folder is accounted for.

No torch, no numpy.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jobs.errors import WeightsNotLocked
from pipelines.catalog import Catalog, load_catalog
from pipelines.lockfile import SHIPPED, Lock, LockedFile, LockedModel, read_lock, write_lock
from pipelines.spec import ModelSpec
from pipelines.weight_files import refuse_pickle, sha256_of, weight_files

_HASHERS = 4
"""Files hashed at once: hashing releases the interpreter lock."""


def verify(spec: ModelSpec, lock: Lock, directory: Path) -> None:
    """Raise `WeightsNotLocked`, naming the file, unless `directory` holds exactly what `lock` says of `spec`.

    Refused: a file that is missing, extra, of another size or sha256, of unknown sha256, a pickle, a link
    that leads outside. A file is hashed once per process as long as its size, time of change and inode stay.
    """
    locked = _locked(spec, lock)
    found = dict(weight_files(directory))
    for path in sorted(found.keys() - locked.files.keys()):
        raise WeightsNotLocked(f"{spec.id}: {path} is not in weights.lock; nothing was loaded.")
    for path, facts in sorted(locked.files.items()):
        _check_size(spec, path, facts, found.get(path))
    for path, digest in zip(found, _hashes(found.values()), strict=True):
        if digest != locked.files[path].sha256:
            raise WeightsNotLocked(f"{spec.id}: {path} is not the file of weights.lock (other sha256).")


def missing(spec: ModelSpec, lock: Lock, weights_dir: Path) -> str | None:
    """Why this model can not be served from `weights_dir`, as a sentence; `None` when it can.

    Looks at names and sizes only, so a worker can ask at any time; `verify` hashes when a model is loaded.
    """
    if not spec.source.needs_weights:
        return None
    directory = spec.directory(weights_dir)
    try:
        for path, facts in sorted(_locked(spec, lock).files.items()):
            refuse_pickle(path)
            file = directory / path
            _check_size(spec, path, facts, file if file.is_file() else None)
    except WeightsNotLocked as error:
        return error.detail
    return None


def servable(catalog: Catalog, lock: Lock, weights_dir: Path) -> tuple[ModelSpec, ...]:
    """The models a worker with this folder can offer: all locked files are there, each with the right
    size."""
    return tuple(spec for spec in catalog.models if missing(spec, lock, weights_dir) is None)


def lock_directory(spec: ModelSpec, directory: Path) -> LockedModel:
    """The lock of a folder as it is now. Raises `WeightsNotLocked` for a file that must never be loaded, and
    for an empty folder."""
    files = dict(weight_files(directory))
    if not files:
        raise WeightsNotLocked(f"{spec.id}: there are no files to lock.")
    facts = {
        path: LockedFile(size=file.stat().st_size, sha256=digest)
        for (path, file), digest in zip(files.items(), _hashes(files.values()), strict=True)
    }
    return LockedModel(files=facts, repo=spec.source.repo, revision=spec.source.revision)


def lock_local_models(catalog: Catalog, lock: Lock, weights_dir: Path) -> Lock:
    """`lock` with the models that come from no hub locked anew, as their folders are now (`atelier weights
    lock`).

    Models that are not in the catalogue any more leave the lock.
    """
    kept = {spec.id: lock.models[spec.id] for spec in catalog.models if spec.id in lock.models}
    for spec in catalog.models:
        if spec.source.needs_weights and spec.source.repo is None:
            kept[spec.id] = lock_directory(spec, spec.directory(weights_dir))
    return Lock(kept)


def relock(catalog: Path | None, lock: Path | None, weights_dir: Path) -> Lock:
    """What `atelier weights lock` does: `lock_local_models`, read from and written to the lock file `lock`.

    `None` means the file this repository ships. A lock file that is not there yet is made.
    """
    file = lock or SHIPPED
    before = read_lock(file) if file.exists() else Lock()
    after = lock_local_models(load_catalog(catalog), before, weights_dir)
    write_lock(after, file)
    return after


def _locked(spec: ModelSpec, lock: Lock) -> LockedModel:
    locked = lock.models.get(spec.id)
    if locked is None or not locked.files:
        raise WeightsNotLocked(f"{spec.id} is not in weights.lock; run `atelier weights lock`.")
    if (locked.repo, locked.revision) != (spec.source.repo, spec.source.revision):
        raise WeightsNotLocked(
            f"{spec.id}: the catalogue says {spec.source.repo} {spec.source.revision}, weights.lock says "
            f"{locked.repo} {locked.revision}; run `atelier weights lock`."
        )
    return locked


def _check_size(spec: ModelSpec, path: str, facts: LockedFile, file: Path | None) -> None:
    if facts.size is None or facts.sha256 is None:
        raise WeightsNotLocked(f"{spec.id}: weights.lock does not know the size and sha256 of {path}.")
    if file is None:
        raise WeightsNotLocked(f"{spec.id}: {path} is missing.")
    if file.stat().st_size != facts.size:
        size = file.stat().st_size
        raise WeightsNotLocked(f"{spec.id}: {path} has {size} bytes, weights.lock says {facts.size}.")


def _hashes(files: Iterable[Path]) -> list[str]:
    with ThreadPoolExecutor(_HASHERS) as pool:
        return list(pool.map(sha256_of, files))
