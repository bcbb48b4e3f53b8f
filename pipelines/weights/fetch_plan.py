"""Plan of a fetch: the locked files to bring, and where each of them goes."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.errors.base import AtelierError
from core.errors.failures import WeightsNotLocked
from pipelines.catalog.licenses import Allowed, refuse_license
from pipelines.catalog.spec import Bundle, ModelSpec, StoredAs
from pipelines.weights.files import Advance, hash_file, is_pickle
from pipelines.weights.lockfile import Converted, Facts, Lock, LockedFile, converted_name
from pipelines.weights.verify import locked

INCOMING = ".incoming"
"""Folder below the weights directory for files on their way."""


class NoRoom(Exception):
    """The disk has no room for the missing files."""


class FetchItem(msgspec.Struct, frozen=True):
    """A locked file, its final path, its path until it is verified, and the cast between them."""

    bundle: Bundle
    path: str
    facts: LockedFile
    final: Path
    incoming: Path
    storing: StoredAs | None = None
    keeps_published: bool = False
    """Leave a published file that is there already: the lock of other processes may not know what it would become."""

    @property
    def name(self) -> str:
        """Name for display."""
        return f"{self.bundle.key}: {self.path}"

    @property
    def is_converted(self) -> bool:
        """Whether another file than the published one lies at `final` in the end."""
        return is_pickle(self.path) or self.storing is not None

    def is_there(self, advance: Advance) -> bool:
        """Return whether the right file lies at `final`; `advance` is called for its bytes if it does."""
        return self._is(self.final_facts, advance)

    def is_published_there(self, advance: Advance) -> bool:
        """Return whether the published file lies at `final`, from before it was to be cast; `advance` as above."""
        return self.storing is not None and self._is(self.facts, advance)

    @property
    def final_facts(self) -> Facts | None:
        """Facts of the file at `final`; `None` for one that was never converted, or otherwise than it is wanted now."""
        made = self.facts.converted
        if self.storing is not None:
            return made if made is not None and made.is_of(self.storing) else None
        return made if is_pickle(self.path) else self.facts

    def needed_bytes(self) -> int:
        """Return the bytes of disk that are missing, while it is fetched and converted."""
        published = self.facts.size or 0
        if self._is_sized(self.final_facts):
            return 0
        if self.storing is not None and self._is_sized(self.facts):
            return published
        begun = self.incoming.stat().st_size if self.incoming.exists() else 0
        return published * (2 if self.is_converted else 1) - begun

    def _is_sized(self, facts: Facts | None) -> bool:
        """Return whether a file of this size lies at `final`."""
        return facts is not None and self.final.is_file() and self.final.stat().st_size == facts.size

    def _is(self, facts: Facts | None, advance: Advance) -> bool:
        if facts is None or not self._is_sized(facts):
            return False
        counted: list[int] = []

        def count_bytes(count: int) -> None:
            counted.append(count)
            advance(count)

        if hash_file(self.final, count_bytes) == facts.sha256:
            return True
        advance(-sum(counted))
        return False


def plan_models(
    specs: Sequence[ModelSpec], lock: Lock, weights_dir: Path, allowed: Allowed, *, casts: bool = True
) -> tuple[list[FetchItem], dict[str, str]]:
    """Return every file of these models once, and by id why the others cannot be fetched.

    The reason is the license or a missing fact. Files that the catalog has stored in another precision are cast where
    the lock knows the result, and with `casts` the others too: then the lock can learn it.
    """
    items: list[FetchItem] = []
    refused: dict[str, str] = {}
    for spec in specs:
        try:
            refuse_license(spec, allowed)
            if not spec.is_fetched:
                raise WeightsNotLocked(f"{spec.id}: its source is not a server; there is nothing to fetch.")
            items += [item for bundle in spec.bundles for item in _plan(bundle, lock, weights_dir, casts=casts)]
        except AtelierError as error:
            refused[spec.id] = error.detail
    return [*{(item.bundle.key, item.path): item for item in items}.values()], refused


def refuse_full_disk(items: Sequence[FetchItem], weights_dir: Path) -> None:
    """Raise `NoRoom` when the disk has no room for the missing bytes; a conversion needs twice the size for a while."""
    needed = sum(item.needed_bytes() for item in items)
    weights_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(weights_dir).free
    if needed > free:
        raise NoRoom(f"{needed:,} bytes are missing and {weights_dir} has room for {free:,}; nothing was fetched")


def _plan(bundle: Bundle, lock: Lock, weights_dir: Path, *, casts: bool) -> list[FetchItem]:
    if not bundle.source.is_remote:
        return []
    folder, files = bundle.directory(weights_dir), locked(bundle, lock).files
    for path, facts in sorted(files.items()):
        if facts.sha256 is None or facts.size is None:
            raise WeightsNotLocked(
                f"{bundle.key}: weights.lock does not know the size and sha256 of {path}; run `atelier weights lock "
                f"{bundle.key.partition('+')[0]}` on a connected machine."
            )
    return [
        FetchItem(
            bundle,
            path,
            facts,
            final=folder / (converted_name(path) if is_pickle(path) else path),
            incoming=weights_dir / INCOMING / bundle.key / path,
            storing=_storing(bundle.source.storing(path), facts.converted, casts=casts),
            keeps_published=not casts,
        )
        for path, facts in sorted(files.items())
    ]


def _storing(wanted: StoredAs | None, made: Converted | None, *, casts: bool) -> StoredAs | None:
    """Return the cast of a file: the catalog's, else that of the lock."""
    known = made.storing if made is not None else None
    if wanted is None:
        return known
    return wanted if casts or (made is not None and made.is_of(wanted)) else known
