"""State of a model's files on this machine, for display: names and sizes only, without hashing."""

from pathlib import Path
from typing import Literal

import msgspec

from pipelines.catalog.licenses import Allowed, is_allowed
from pipelines.catalog.spec import ModelSpec
from pipelines.weights.footprint import footprint
from pipelines.weights.lockfile import Facts, Lock
from pipelines.weights.verify import missing

State = Literal["ready", "partial", "not fetched", "not locked", "unknown facts", "stray files", "licence refused"]
"""`unknown facts`: the lock lacks sizes or sha256s, which a fetch takes from the commit; `not locked`: those of a local
folder. `stray files`: all files are here, and others that prevent a load; `ModelState.why` names one."""


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """State of one model: `size` is the bytes of the files of known size, `why` a sentence unless it is ready.

    `is_size_whole` is whether the size of every file is known. The rest is what the model takes, as
    in `Footprint` and in its catalog entry.
    """

    id: str
    tier: str
    licence: str
    state: State
    files: int
    files_here: int
    files_unknown: int
    size: int
    is_size_whole: bool
    why: str | None
    vram_bytes: int
    weights_bytes: dict[str, int]
    smallest_card_gb: int | None
    estimated_seconds: float
    estimated_on: str | None
    is_measured: bool

    @property
    def text(self) -> str:
        """The state for a person, with its numbers; what the lock lacks is of no interest before a fetch."""
        if self.state == "unknown facts":
            return f"partial: {self.files_here} files" if self.files_here else "not fetched"
        return f"partial: {self.files_here} of {self.files} files" if self.state == "partial" else self.state


def state_of(spec: ModelSpec, lock: Lock, weights_dir: Path, allowed: Allowed) -> ModelState:
    """Return the state of a model with all its bundles."""
    files = _files(spec, lock, weights_dir)
    here = [file for file, facts in files if file.is_file() and file.stat().st_size == facts.size]
    unknown = [file for file, facts in files if facts.sha256 is None or facts.size is None]
    why, taken = missing(spec, lock, weights_dir, allowed), footprint(spec, lock)
    return ModelState(
        id=spec.id,
        tier=spec.tier,
        licence=spec.licence.name,
        state=_state(spec, lock, allowed, ready=why is None, unknown=bool(unknown), here=len(here), of=len(files)),
        files=len(files),
        files_here=len(here),
        files_unknown=len(unknown),
        size=sum(facts.size or 0 for _, facts in files),
        is_size_whole=bool(files or not spec.bundles) and all(facts.size is not None for _, facts in files),
        why=why,
        vram_bytes=spec.vram_bytes,
        weights_bytes=taken.weights_bytes,
        smallest_card_gb=taken.smallest_card_gb,
        estimated_seconds=spec.estimated_seconds,
        estimated_on=spec.estimated_on,
        is_measured=spec.is_measured,
    )


def _files(spec: ModelSpec, lock: Lock, weights_dir: Path) -> list[tuple[Path, Facts]]:
    return [
        (bundle.directory(weights_dir) / path, facts)
        for bundle in spec.bundles
        if bundle.key in lock.models
        for path, facts in lock.models[bundle.key].on_disk(bundle.directory(weights_dir)).items()
    ]


def _state(spec: ModelSpec, lock: Lock, allowed: Allowed, *, ready: bool, unknown: bool, here: int, of: int) -> State:
    if not is_allowed(spec, allowed):
        return "licence refused"
    if ready:
        return "ready"
    unlocked = [one for one in spec.bundles if one.key not in lock.models or not lock.models[one.key].is_of(one)]
    if not all(bundle.source.is_remote for bundle in unlocked):
        return "not locked"
    if unknown or unlocked:
        return "unknown facts"
    if not here:
        return "not fetched"
    return "partial" if here < of else "stray files"
