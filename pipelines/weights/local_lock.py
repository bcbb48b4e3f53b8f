"""The local lock: a second `weights.lock`, in the weights folder, for a checkout that cannot be written.

It completes the lock of the checkout and never contradicts it: what that one knows of a file stands. So an account that
may write to the weights folder vouches for files that the checkout's lock does not know, and for no others; workers
read the folder only.

No torch, no numpy.
"""

from pathlib import Path

import msgspec

from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import Bundle
from pipelines.weights.lockfile import Lock, LockedFile, LockedModel, read_lock

NAME = "weights.lock"


def local_lock(weights_dir: Path) -> Path:
    """Return the file of the local lock, which need not exist."""
    return weights_dir / NAME


def read_locks(file: Path | str | None, weights_dir: Path, catalog: Catalog) -> Lock:
    """Read the lock in `file`, or the one of this repository, completed by the local lock where there is one.

    Raises `ValueError`, which names the file, when one of them cannot be read.
    """
    lock, local = read_lock(file), local_lock(weights_dir)
    bundles = [bundle for spec in catalog.models for bundle in spec.bundles]
    return complete(lock, read_lock(local), bundles) if local.exists() else lock


def complete(lock: Lock, local: Lock, bundles: list[Bundle]) -> Lock:
    """Return `lock` with what `local` says of these bundles at the catalog's revision beyond it."""
    models = dict(lock.models)
    for bundle in bundles:
        more = local.models.get(bundle.key)
        if more is not None and more.is_of(bundle):
            known = models.get(bundle.key)
            models[bundle.key] = more if known is None or not known.is_of(bundle) else _both(known, more)
    return Lock(models)


def _both(known: LockedModel, more: LockedModel) -> LockedModel:
    """Return what is known of a bundle and what the local lock says of it.

    The names of a lock with unknown facts may be guesses, so those of the local lock take their place; a file whose
    sha256 is known remains.
    """
    named = set(known.files if known.is_complete else more.files)
    named |= {path for path, file in known.files.items() if file.sha256}
    files = {path: _file(known.files.get(path), more.files.get(path)) for path in sorted(named)}
    return msgspec.structs.replace(known, files=files)


def _file(known: LockedFile | None, more: LockedFile | None) -> LockedFile:
    if known is None or more is None:
        found = known or more
        assert found is not None
        return found
    if known.size not in (None, more.size) or known.sha256 not in (None, more.sha256):
        return known
    return LockedFile(size=more.size, sha256=more.sha256, converted=known.converted or more.converted)
