"""The lock in the weights folder: what it adds to that of the checkout, and what it cannot change."""

from pathlib import Path

from pipelines.catalog.loader import Catalog
from pipelines.weights.local_lock import complete, local_lock, read_locks
from pipelines.weights.lockfile import Converted, Lock, LockedFile, LockedModel, write_lock
from tests.support.checkpoints.specs import spec

HUB = {"repo": "a/b", "revision": "1" * 40}
TINY = spec(source=HUB)
UNKNOWN = LockedFile(size=None, sha256=None)
A, B = LockedFile(size=1, sha256="aa"), LockedFile(size=2, sha256="bb")
MADE = Converted(size=3, sha256="cc")


def lock(**files: LockedFile) -> Lock:
    return Lock({"tiny": LockedModel(files={name.replace("_", "."): file for name, file in files.items()}, **HUB)})


def completed(known: Lock, local: Lock) -> dict[str, LockedFile]:
    return complete(known, local, [*TINY.bundles]).models["tiny"].files


def test_a_bundle_that_the_checkouts_lock_lacks_comes() -> None:
    assert {"a": A} == completed(Lock(), lock(a=A))


def test_what_is_unknown_comes_and_what_is_known_stays() -> None:
    assert {"a": A, "b": B} == completed(lock(a=A, b=UNKNOWN), lock(a=LockedFile(size=1, sha256="other"), b=B))


def test_a_known_size_holds_the_local_locks_file_to_it() -> None:
    known = LockedFile(size=5, sha256=None)
    assert {"a": known} == completed(lock(a=known), lock(a=A))


def test_guessed_names_give_way_and_known_files_remain() -> None:
    assert {"a": A, "b": B} == completed(lock(a=A, guess=UNKNOWN), lock(b=B))


def test_a_complete_bundle_gets_no_other_file() -> None:
    assert {"a": A} == completed(lock(a=A), lock(a=A, b=B))


def test_a_bundle_without_files_is_not_complete() -> None:
    assert {"a": A} == completed(lock(), lock(a=A))


def test_the_conversion_of_a_known_pickle_comes() -> None:
    made = LockedFile(size=1, sha256="aa", converted=MADE)

    assert {"a.pt": made} == completed(lock(a_pt=A), lock(a_pt=made))
    assert {"a.pt": A} == completed(lock(a_pt=A), lock(a_pt=LockedFile(size=1, sha256="other", converted=MADE)))


def test_another_revision_than_the_catalogs_is_ignored() -> None:
    (moved,) = spec(source=HUB | {"revision": "2" * 40}).bundles

    assert lock(a=UNKNOWN) == complete(lock(a=UNKNOWN), lock(a=A), [moved])


def test_a_lock_of_another_revision_gives_way_to_the_catalogs() -> None:
    old = Lock({"tiny": LockedModel(files={"x": B}, repo="a/b", revision="2" * 40)})

    assert {"a": A} == completed(old, lock(a=A))


def test_both_are_read(tmp_path: Path) -> None:
    catalog, file = Catalog((TINY,)), tmp_path / "checkout.lock"
    write_lock(lock(a=UNKNOWN), file)
    assert lock(a=UNKNOWN) == read_locks(file, tmp_path, catalog)

    write_lock(lock(a=A), local_lock(tmp_path))
    assert lock(a=A) == read_locks(file, tmp_path, catalog)
