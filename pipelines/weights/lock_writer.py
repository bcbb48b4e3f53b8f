"""Contents of weights.lock, made from folders and from the metadata of the hub and other servers."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipelines.catalog.spec import Bundle
from pipelines.weights.download import Download
from pipelines.weights.fetch_plan import INCOMING
from pipelines.weights.files import Advance, git_blob_id
from pipelines.weights.hub import FetchError, HubFile, is_wanted, list_files
from pipelines.weights.lockfile import Converted, Facts, Lock, LockedFile, LockedModel
from pipelines.weights.verify import lock_directory


class FactsDiffer(Exception):
    """The facts that were found contradict those locked for the same revision; the text names the file."""


def is_complete(bundle: Bundle, lock: Lock) -> bool:
    """Return whether the lock has every fact of a remote bundle."""
    known = lock.models.get(bundle.key)
    return known is not None and known.is_of(bundle) and known.is_complete


def lock_bundle(
    bundle: Bundle, lock: Lock, weights_dir: Path, *, update: bool = False, advance: Advance = lambda _: None
) -> LockedModel:
    """Return the facts of a bundle: of its folder as it is, or, for a remote one, from the server.

    For a hub's repository they are those of the commit: the list of its files with the sha256 of the large ones. The
    small ones are downloaded, held against git's name of each, and hashed. The file of a `url` is hashed, too, and its
    first download is trusted. Downloaded files are left for `fetch`; `advance` is called for their bytes.

    Locked facts stay. Where they contradict what was found, `FactsDiffer` is raised unless `update` is set. Raises
    `FetchError` and `WeightsNotLocked`.
    """
    source = bundle.source
    if not source.is_remote:
        return lock_directory(bundle, bundle.directory(weights_dir))
    known = lock.models.get(bundle.key)
    before = known.files if known is not None and known.is_of(bundle) and not update else {}
    found = list_files(source) if source.repo else {source.url.rpartition("/")[2]: _ANY}  # type: ignore[union-attr]
    if not found:
        raise FetchError(f"{source.repo} has no file that `include` and `exclude` leave")
    files = {}
    for path, of_source in found.items():
        facts = _agreed(bundle, path, before.get(path, _UNKNOWN), of_source)
        if facts.sha256 is None:
            facts = _agreed(bundle, path, facts, _downloaded(bundle, path, of_source, weights_dir, advance))
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
_ANY = HubFile(size=None, sha256=None, blob_id=None)
"""What is known of the file of a `url`, which no commit names."""


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


def _downloaded(bundle: Bundle, path: str, facts: HubFile, weights_dir: Path, advance: Advance) -> Facts:
    if bundle.source.repo is not None and facts.blob_id is None:
        raise FetchError(f"the hub does not say what git calls {path}, so nothing holds it to its commit")
    file = weights_dir / INCOMING / bundle.key / path
    file.unlink(missing_ok=True)  # an old file may be of another revision, and without a sha256 that stays undetected
    sha256 = Download(bundle.source, path, file, facts=facts, advance=advance).run()
    if facts.blob_id is not None and git_blob_id(file) != facts.blob_id:
        file.unlink()
        raise FetchError(f"{path} is not the file of commit {bundle.source.revision}; it was removed")
    return Facts(size=file.stat().st_size, sha256=sha256)
