"""Contents of weights.lock, made from folders and from the metadata of the hub and other servers."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipelines.catalog.spec import Bundle
from pipelines.weights.download import Download
from pipelines.weights.fetch_plan import INCOMING
from pipelines.weights.hub import FetchError, is_wanted, list_files
from pipelines.weights.lockfile import Converted, Facts, Lock, LockedFile, LockedModel
from pipelines.weights.verify import lock_directory


class FactsDiffer(Exception):
    """The facts that were found contradict those locked for the same revision; the text names the file."""


def is_complete(bundle: Bundle, lock: Lock) -> bool:
    """Return whether the lock has every fact of a remote bundle."""
    known = lock.models.get(bundle.key)
    return (
        known is not None
        and known.is_of(bundle)
        and all(file.size is not None and file.sha256 for file in known.files.values())
    )


def lock_bundle(bundle: Bundle, lock: Lock, weights_dir: Path, *, update: bool) -> LockedModel:
    """Return the facts of a bundle: of its folder as it is, or, for a remote one, from the server.

    For a hub's repository they are the list of its files with the sha256 of the large ones. The small ones are
    downloaded and hashed. So is the file of a `url`, whose first download is trusted. Downloaded files are left for
    `fetch`.

    Locked facts stay. Where they contradict what was found, `FactsDiffer` is raised unless `update` is set. Raises
    `FetchError` and `WeightsNotLocked`.
    """
    source = bundle.source
    if not source.is_remote:
        return lock_directory(bundle, bundle.directory(weights_dir))
    known = lock.models.get(bundle.key)
    before = known.files if known is not None and known.is_of(bundle) and not update else {}
    found = list_files(source) if source.repo else {source.url.rpartition("/")[2]: _UNKNOWN}  # type: ignore[union-attr]
    if not found:
        raise FetchError(f"{source.repo} has no file that `include` and `exclude` leave")
    files = {}
    for path, facts in found.items():
        facts = _agreed(bundle, path, before.get(path, _UNKNOWN), facts)
        if facts.sha256 is None:
            facts = _agreed(bundle, path, facts, _downloaded(bundle, path, facts, weights_dir))
        files[path] = facts
    gone = {path for path, facts in before.items() if facts.sha256 and is_wanted(source, path)} - files.keys()
    for path in sorted(gone):
        raise FactsDiffer(f"{bundle.key}: {path} is in weights.lock and not among the files of {source.repo}")
    try:
        return LockedModel(files=files, repo=source.repo, revision=source.revision, url=source.url)
    except ValueError as error:
        raise FetchError(str(error)) from None


def drop_unknown_bundles(lock: Lock, bundles: Iterable[Bundle]) -> Lock:
    """Return the lock without bundles that the catalog no longer names."""
    keys = {bundle.key for bundle in bundles}
    return Lock({key: model for key, model in lock.models.items() if key in keys})


def add_converted(lock: Lock, converted: dict[tuple[str, str], Converted]) -> Lock:
    """Return the lock with the facts of converted files, by bundle and path; unknown files are ignored."""
    models = dict(lock.models)
    for (key, path), facts in converted.items():
        if key not in models or path not in models[key].files:
            continue
        file = msgspec.structs.replace(models[key].files[path], converted=facts)
        models[key] = msgspec.structs.replace(models[key], files={**models[key].files, path: file})
    return Lock(models)


_UNKNOWN = LockedFile(size=None, sha256=None)


def _agreed(bundle: Bundle, path: str, known: LockedFile, found: Facts) -> LockedFile:
    for word in ("size", "sha256"):
        old, new = getattr(known, word), getattr(found, word)
        if None not in (old, new) and old != new:
            raise FactsDiffer(
                f"{bundle.key}: the {word} of {path} is {new}, weights.lock says {old} of the same revision; nothing "
                "was written. If you trust the new one, run it with --update."
            )
    size = known.size if found.size is None else found.size
    return LockedFile(size=size, sha256=known.sha256 or found.sha256, converted=known.converted)


def _downloaded(bundle: Bundle, path: str, facts: Facts, weights_dir: Path) -> Facts:
    file = weights_dir / INCOMING / bundle.key / path
    file.unlink(missing_ok=True)  # an old file may be of another revision, and without a sha256 that stays undetected
    sha256 = Download(bundle.source, path, file, facts=facts, advance=lambda _: None).run()
    return Facts(size=file.stat().st_size, sha256=sha256)
