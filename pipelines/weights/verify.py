"""Verification of weights on disk against `weights.lock`, before a model made of them is used.

No torch, no numpy.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

from core.errors.failures import LicenseRefused, WeightsNotLocked
from pipelines.catalog.licenses import Allowed, refuse_license
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import CHECKOUT, Bundle, ModelSpec, Source
from pipelines.weights.files import is_pickle, weight_files
from pipelines.weights.hash_cache import FileIdentity, HashCache, hash_content
from pipelines.weights.lockfile import Converted, Facts, Lock, LockedFile, LockedModel

Digest = Callable[[Path], str]
"""Returns the hexadecimal sha256 of a file."""

PLAIN_DATA = ".safetensors"
"""Files whose parser builds tensors and nothing else, so that they may be parsed before they are verified."""


def weights_folder(named: str) -> Path:
    """Return the folder of downloaded weights: `ATELIER_WEIGHTS_DIR`, or `weights/` in the checkout."""
    return Path(named) if named else CHECKOUT / "weights"


def verify(spec: ModelSpec, lock: Lock, weights_dir: Path, hashes: HashCache | None = None) -> None:
    """Raise `WeightsNotLocked`, naming the file, unless the folders of `spec` match `lock` exactly.

    The folders are the model's own and those of its LoRAs. Refused is a file that is missing, extra, of another size or
    sha256 or of unknown sha256, a pickle, and a link that leads outside. A file that `hashes` knows is not hashed.
    """
    with verifying(spec, lock, weights_dir, hashes):
        pass


@contextmanager
def verifying(spec: ModelSpec, lock: Lock, weights_dir: Path, hashes: HashCache | None = None) -> Iterator[None]:
    """Verify like `verify`, safetensors while the block runs, and everything else before.

    The block is not entered where a name, a size, or a file that is not plain data is wrong. Its result may be used
    once the context was left without an error: every file was hashed by then and has not changed meanwhile. An error of
    the block is raised only if the files are right; `WeightsNotLocked` comes first.
    """
    checks = [check for bundle in spec.bundles for check in _checks(bundle, lock, weights_dir)]
    before = {check.file: FileIdentity.of(check.file) for check in checks}
    digest = (hashes or HashCache()).sha256_of
    with _hashers() as pool:
        running = {check: pool.submit(digest, check.file) for check in _longest_first(checks)}
        for check in checks:
            if check.file.suffix != PLAIN_DATA:
                check.refuse_other(running[check].result())
        try:
            yield
        finally:
            for check in checks:
                check.refuse_other(running[check].result())
                if FileIdentity.of(check.file) != before[check.file]:
                    raise WeightsNotLocked(f"{check.name} was changed while it was loaded.")


def differences(bundle: Bundle, lock: Lock, weights_dir: Path, digest: Digest = hash_content) -> Iterator[str]:
    """Yield each difference between a bundle's folder and the lock, as a sentence that names the file.

    Files are hashed, by `digest`, only once names and sizes are right.
    """
    problems = list(misplaced(bundle, lock, weights_dir))
    yield from problems
    if not problems:
        checks = _checks(bundle, lock, weights_dir)
        for check, sha256 in zip(checks, _hashes((check.file for check in checks), digest), strict=True):
            if sha256 != check.sha256:
                yield check.problem


def misplaced(bundle: Bundle, lock: Lock, weights_dir: Path) -> Iterator[str]:
    """Yield the differences in names and sizes of a bundle's folder: missing files first, then those not locked."""
    try:
        expected, found = (
            _expected(bundle, lock, weights_dir),
            dict(weight_files(bundle.directory(weights_dir), bundle.apart)),
        )
    except WeightsNotLocked as error:
        yield error.detail
        return
    for path, facts in sorted(expected.items()):
        problem = _size_problem(bundle, path, facts, found.get(path))
        if problem is not None:
            yield problem
    for path in sorted(found.keys() - expected.keys()):
        yield f"{bundle.key}: {path} is not in weights.lock; remove it, or the model is not loaded."


def missing(spec: ModelSpec, lock: Lock, weights_dir: Path, allowed: Allowed = frozenset()) -> str | None:
    """Return why this model cannot be served from `weights_dir`, as a sentence; `None` when it can.

    Checks the license, names and sizes only, so a worker can ask at any time; `verify` hashes when a model is loaded.
    """
    if not spec.is_local:
        return f"{spec.id}: it is made by its backends alone ({', '.join(spec.order)})."
    try:
        refuse_license(spec, allowed)
    except LicenseRefused as error:
        return error.detail
    return next((text for bundle in spec.bundles for text in misplaced(bundle, lock, weights_dir)), None)


def servable(catalog: Catalog, lock: Lock, weights_dir: Path, allowed: Allowed = frozenset()) -> tuple[ModelSpec, ...]:
    """Return the models that a worker with this folder can offer.

    Their license is allowed, and exactly the locked files are there, each with the right size.
    """
    return tuple(spec for spec in catalog.models if missing(spec, lock, weights_dir, allowed) is None)


def lock_directory(of: ModelSpec | Bundle, directory: Path) -> LockedModel:
    """Return the lock of a folder as it is.

    Raises `WeightsNotLocked` for a file that must never be loaded, and for an empty folder.
    """
    files = dict(weight_files(directory, () if isinstance(of, ModelSpec) else of.apart))
    if not files:
        name = of.id if isinstance(of, ModelSpec) else of.key
        raise WeightsNotLocked(f"{name}: there are no files to lock.")
    facts = {
        path: LockedFile(size=file.stat().st_size, sha256=sha256)
        for (path, file), sha256 in zip(files.items(), _hashes(files.values(), hash_content), strict=True)
    }
    return LockedModel(files=facts, repo=of.source.repo, revision=of.source.revision, url=of.source.url)


def locked(bundle: Bundle, lock: Lock) -> LockedModel:
    """Return the locked facts of a bundle. Raises `WeightsNotLocked` when there are none or of another revision."""
    known = lock.models.get(bundle.key)
    if known is None or not known.files:
        raise WeightsNotLocked(f"{bundle.key} is not in weights.lock; run `atelier weights lock`.")
    if not known.is_of(bundle):
        raise WeightsNotLocked(
            f"{bundle.key}: the catalog says {_origin(bundle.source)}, weights.lock says {_origin(known)}; "
            "run `atelier weights lock`."
        )
    return known


def _expected(bundle: Bundle, lock: Lock, weights_dir: Path) -> dict[str, Facts]:
    known = locked(bundle, lock)
    for path, facts in known.files.items():
        if is_pickle(path) and facts.converted is None and facts.sha256 is not None:
            raise WeightsNotLocked(
                f"{bundle.key}: {path} is a pickle, which can run code when it is read; `atelier weights fetch` "
                "makes safetensors of it."
            )
    expected = known.on_disk(bundle.directory(weights_dir))
    for path, lies in expected.items():
        wanted = bundle.source.storing(path)
        if wanted is not None and isinstance(lies, Converted) and not lies.is_of(wanted):
            raise WeightsNotLocked(
                f"{bundle.key}: {path} is stored in {lies.dtype}, with other parts in float32 or in another precision "
                f"than the catalog says ({wanted.dtype}); `atelier weights fetch` stores it anew."
            )
    return expected


def _origin(named: Source | LockedModel) -> str:
    return named.url or f"{named.repo} {named.revision}"


def _size_problem(bundle: Bundle, path: str, facts: Facts, file: Path | None) -> str | None:
    if facts.size is None or facts.sha256 is None:
        run = f"run `atelier weights fetch {bundle.key.partition('+')[0]}`"
        return f"{bundle.key}: weights.lock does not know the size and sha256 of {path}; {run}."
    if file is None:
        return f"{bundle.key}: {path} is missing."
    size = file.stat().st_size
    if size != facts.size:
        return f"{bundle.key}: {path} has {size} bytes, weights.lock says {facts.size}."
    return None


class _Check(msgspec.Struct, frozen=True):
    """A file that has to have this sha256; its name is for messages."""

    name: str
    file: Path
    sha256: str | None
    size: int

    def refuse_other(self, sha256: str) -> None:
        """Raise `WeightsNotLocked` unless this is its sha256."""
        if sha256 != self.sha256:
            raise WeightsNotLocked(self.problem)

    @property
    def problem(self) -> str:
        """The sentence about a file of another sha256."""
        return f"{self.name} is not the file of weights.lock (other sha256)."


def _checks(bundle: Bundle, lock: Lock, weights_dir: Path) -> list[_Check]:
    """Return what is to be hashed of a bundle. Raises `WeightsNotLocked` where a name or a size is wrong."""
    for problem in misplaced(bundle, lock, weights_dir):
        raise WeightsNotLocked(problem)
    folder = bundle.directory(weights_dir).resolve()
    return [
        _Check(f"{bundle.key}: {path}", folder / path, facts.sha256, facts.size or 0)
        for path, facts in locked(bundle, lock).on_disk(folder).items()
    ]


def _longest_first(checks: Iterable[_Check]) -> list[_Check]:
    """Return the order of hashing: what must be known before the load, then large files, which take longest."""
    return sorted(checks, key=lambda check: (check.file.suffix == PLAIN_DATA, -check.size))


def _hashes(files: Iterable[Path], digest: Digest) -> list[str]:
    with _hashers() as pool:
        return list(pool.map(digest, files))


@contextmanager
def _hashers() -> Iterator[ThreadPoolExecutor]:
    """Give threads that hash one file each, as many as there are cores; hashing releases the interpreter lock.

    What has not begun at the end of the block is not hashed.
    """
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "hash")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
