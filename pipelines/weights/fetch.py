"""Transfer of locked files into the weights directory: several at once, resumed, and named once verified.

A file on its way lies in `.incoming` within the weights directory, by the bundle's key and its path. It moves to its
place once its sha256 is that of weights.lock. An account that may write there may also write to the lock, so
`.incoming` is as safe as the lock.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Protocol

import msgspec

from pipelines.catalog.spec import Source
from pipelines.weights.casting import cast
from pipelines.weights.download import Download, ServerContact
from pipelines.weights.fetch_plan import INCOMING, FetchItem
from pipelines.weights.files import Advance, hash_file
from pipelines.weights.hub import FetchError, Unreachable, server_of
from pipelines.weights.lockfile import Converted
from pipelines.weights.pickles import convert


class TransferObserver(Protocol):
    """Display of the progress; called from several threads."""

    def begin(self, name: str, size: int) -> None:
        """Show that work on a file of `size` bytes begins."""

    def advance(self, name: str, count: int) -> None:
        """Add `count` bytes to the file's progress; a negative number takes bytes back."""

    def end(self, name: str) -> None:
        """Show that the file is complete or given up."""


class Outcome(msgspec.Struct):
    """Results by the bundle's key and the path.

    `failed` says why a file failed; `converted` has the facts of the safetensors that a file became. `away` says, by
    the bundle's key alone, that its server does not answer.
    """

    failed: dict[tuple[str, str], str] = {}
    converted: dict[tuple[str, str], Converted] = {}
    away: dict[str, str] = {}


Offer = Callable[[FetchItem, Advance], str]
"""Puts a file's bytes at `FetchItem.incoming` and returns their sha256. Raises `FetchError`, and what `Advance`
raises."""


class FetchStopped(Exception):
    """The operator stopped the transfer."""


def fetch(
    items: Sequence[FetchItem], offer: Offer, outcome: Outcome, observer: TransferObserver, *, jobs: int, stop: Event
) -> None:
    """Bring the missing files, `jobs` at a time, and record the results in `outcome`.

    A file that fails does not stop the others. Raises `FetchStopped` once `stop` is set and the running transfers have
    ended, which they do at their next bytes.
    """
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_bring, item, offer, observer, stop): item for item in items}
        try:
            for future in as_completed(running):
                _settle(outcome, running[future], future)
        except BaseException:
            stop.set()
            raise
    if stop.is_set():
        raise FetchStopped


class Downloads:
    """The downloads of one run. A server that does not answer the first file is not waited for with the others."""

    def __init__(self) -> None:
        self._contacts: dict[str, ServerContact] = {}

    def contact(self, source: Source) -> ServerContact:
        """Return what is known of a source's server."""
        return self._contacts.setdefault(server_of(source), ServerContact())

    def offer(self, item: FetchItem, advance: Advance) -> str:
        """Fetch the file from its source and return its sha256.

        A file that an earlier run began and that came out wrong is fetched once more, from its start. Raises
        `FetchError`, and what `advance` raises.
        """
        source = item.bundle.source
        contact = self.contact(source)
        while True:
            if contact.failure is not None:
                raise Unreachable(contact.failure)
            one = Download(source, item.path, item.incoming, facts=item.facts, advance=advance, contact=contact)
            try:
                sha256 = one.run()
            except Unreachable as error:
                raise Unreachable(contact.give_up(error)) from None
            if sha256 == item.facts.sha256 or not one.resumed:
                return sha256
            advance(-item.incoming.stat().st_size)
            item.incoming.unlink()


@contextmanager
def alone(weights_dir: Path) -> Iterator[None]:
    """Lock the folder against other fetches. Raises `FetchError` when one runs."""
    folder = weights_dir / INCOMING
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FetchError(f"another `atelier weights` is running in {weights_dir}") from None
        yield


def _settle(outcome: Outcome, item: FetchItem, future: Future[Converted | None]) -> None:
    place = item.bundle.key, item.path
    try:
        converted = future.result()
    except Unreachable as error:
        outcome.away[item.bundle.key] = str(error)
    except FetchError as error:
        outcome.failed[place] = str(error)
    except OSError as error:
        outcome.failed[place] = error.strerror or str(error)
    except FetchStopped:
        return
    else:
        if converted is not None and converted != item.facts.converted:
            outcome.converted[place] = converted


def _bring(item: FetchItem, offer: Offer, observer: TransferObserver, stop: Event) -> Converted | None:
    def advance(count: int) -> None:
        if stop.is_set():
            raise FetchStopped
        observer.advance(item.name, count)

    if stop.is_set():
        raise FetchStopped
    observer.begin(item.name, item.facts.size or 0)
    try:
        if item.is_there(advance):
            return item.facts.converted
        if item.is_published_there(advance):
            return item.facts.converted if item.keeps_published else _convert(item, item.final)
        sha256 = offer(item, advance)
        if sha256 != item.facts.sha256:
            item.incoming.unlink()
            raise FetchError(f"the sha256 is {sha256}, weights.lock says {item.facts.sha256}; the file was removed")
        return _place(item)
    finally:
        observer.end(item.name)


def _place(item: FetchItem) -> Converted | None:
    item.final.parent.mkdir(parents=True, exist_ok=True)
    if not item.is_converted:
        _move(item.incoming, item.final)
        return None
    try:
        return _convert(item, item.incoming)
    finally:
        item.incoming.unlink()


def _convert(item: FetchItem, published: Path) -> Converted:
    """Put what becomes of the published file at its place, and return its facts."""
    made = item.incoming.with_name(item.incoming.name + ".safetensors")
    made.parent.mkdir(parents=True, exist_ok=True)
    known = item.final_facts
    try:
        if item.storing is None:
            convert(published, made)
            how = Converted(size=None, sha256=None)
        else:
            cast(published, made, item.storing)
            how = Converted(size=None, sha256=None, dtype=item.storing.dtype, float32=item.storing.float32)
        size, sha256 = made.stat().st_size, hash_file(made, lambda _: None)
        if known is not None and (known.size, known.sha256) != (size, sha256):
            raise FetchError("its safetensors are not those of weights.lock; they were removed")
        _move(made, item.final)
    finally:
        made.unlink(missing_ok=True)
    return msgspec.structs.replace(how, size=size, sha256=sha256)


def _move(incoming: Path, final: Path) -> None:
    """Rename to the final name, after the bytes have reached the disk."""
    with incoming.open("rb") as stream:
        os.fsync(stream.fileno())
    incoming.replace(final)
