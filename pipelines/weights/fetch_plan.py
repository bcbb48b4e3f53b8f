"""Plan of a fetch: the locked files to bring, and where each of them goes."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.errors import AtelierError, WeightsNotLocked
from pipelines.catalog.licenses import Allowed, refuse_license
from pipelines.catalog.spec import Bundle, ModelSpec
from pipelines.weights.files import Advance, hash_file, is_pickle
from pipelines.weights.lockfile import Facts, Lock, LockedFile, converted_name
from pipelines.weights.verify import locked

INCOMING = ".incoming"
"""Folder below the weights directory for files on their way."""


class NoRoom(Exception):
    """The disk has no room for the missing files."""


class FetchItem(msgspec.Struct, frozen=True):
    """A locked file, its final path, and its path until it is verified."""

    bundle: Bundle
    path: str
    facts: LockedFile
    final: Path
    incoming: Path

    @property
    def name(self) -> str:
        """Name for display."""
        return f"{self.bundle.key}: {self.path}"

    def is_sized(self) -> bool:
        """Return whether a file of the right size lies at `final`."""
        facts = self.final_facts
        return facts is not None and self.final.is_file() and self.final.stat().st_size == facts.size

    def is_there(self, advance: Advance) -> bool:
        """Return whether the right file lies at `final`; `advance` is called for its bytes if it does."""
        facts = self.final_facts
        if not self.is_sized() or facts is None:
            return False
        counted: list[int] = []

        def count_bytes(count: int) -> None:
            counted.append(count)
            advance(count)

        if hash_file(self.final, count_bytes) == facts.sha256:
            return True
        advance(-sum(counted))
        return False

    @property
    def final_facts(self) -> Facts | None:
        """Facts of the file at `final`; `None` for a pickle that was never converted."""
        return self.facts.converted if is_pickle(self.path) else self.facts


def plan_models(
    specs: Sequence[ModelSpec], lock: Lock, weights_dir: Path, allowed: Allowed
) -> tuple[list[FetchItem], dict[str, str]]:
    """Return every file of these models, and by id why the others cannot be fetched.

    The reason is the license or a missing fact.
    """
    items: list[FetchItem] = []
    refused: dict[str, str] = {}
    for spec in specs:
        try:
            refuse_license(spec, allowed)
            if not any(bundle.source.is_remote for bundle in spec.bundles):
                raise WeightsNotLocked(f"{spec.id}: its source is not a server; there is nothing to fetch.")
            items += [item for bundle in spec.bundles for item in _plan(bundle, lock, weights_dir)]
        except AtelierError as error:
            refused[spec.id] = error.detail
    return items, refused


def refuse_full_disk(items: Sequence[FetchItem], weights_dir: Path) -> None:
    """Raise `NoRoom` when the disk has no room for the missing bytes. A pickle needs twice its size for a while."""
    needed = 0
    for item in items:
        if not item.is_sized():
            begun = item.incoming.stat().st_size if item.incoming.exists() else 0
            needed += (item.facts.size or 0) * (2 if is_pickle(item.path) else 1) - begun
    weights_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(weights_dir).free
    if needed > free:
        raise NoRoom(f"{needed:,} bytes are missing and {weights_dir} has room for {free:,}; nothing was fetched")


def _plan(bundle: Bundle, lock: Lock, weights_dir: Path) -> list[FetchItem]:
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
        )
        for path, facts in sorted(files.items())
    ]
