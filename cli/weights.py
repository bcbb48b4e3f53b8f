"""What the commands of `atelier weights` share: the settings' files, the chosen models, and bars that show bytes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import rich_click as click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pipelines.catalog import Catalog
    from pipelines.fetch import Offer, Outcome
    from pipelines.licences import Allowed
    from pipelines.lockfile import Lock
    from pipelines.spec import ModelSpec
    from pipelines.wanted import Wanted
    from pipelines.weight_states import ModelState


class Ground(NamedTuple):
    """The catalogue, what is locked and where, the folder of the weights, and the licences that are allowed."""

    catalog: "Catalog"
    lock: "Lock"
    lock_file: Path
    folder: Path
    allowed: "Allowed"

    def chosen(self, names: Sequence[str]) -> "list[ModelSpec]":
        """The named models, or all of them; a name that is not in the catalogue is a usage error."""
        from jobs.errors import UnknownModel

        try:
            return [self.catalog.get(name) for name in names] if names else list(self.catalog.models)
        except UnknownModel as error:
            known = ", ".join(spec.id for spec in self.catalog.models)
            raise click.UsageError(f"{error.detail.partition(';')[0]}; there are {known}") from None

    def states(self, specs: "Iterable[ModelSpec]") -> "list[ModelState]":
        """How far the files of models are here."""
        from pipelines.weight_states import state_of

        return [state_of(spec, self.lock, self.folder, self.allowed) for spec in specs]

    def write(self, lock: "Lock") -> None:
        """Replace the lock file. Raises `ClickException` when that can not be done."""
        from pipelines.lockfile import write_lock

        try:
            write_lock(lock, self.lock_file)
        except OSError as error:
            raise click.ClickException(f"{self.lock_file} can not be written: {error.strerror}") from None


def ground(data: Path, *, new_lock: bool = False) -> Ground:
    """What the settings name. `new_lock`: the lock file need not be there yet."""
    from cli.admin import local_settings
    from pipelines.catalog import CatalogError, load_catalog
    from pipelines.licences import read_allowed
    from pipelines.lockfile import SHIPPED, Lock, read_lock
    from workers.residency import weights_folder

    try:
        settings = local_settings(data)
        file = Path(settings.weights_lock) if settings.weights_lock else SHIPPED
        lock = Lock() if new_lock and not file.exists() else read_lock(file)
        catalog = load_catalog(settings.catalog or None)
    except (CatalogError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if settings.ca_bundle:
        _trust(settings.ca_bundle)
    return Ground(catalog, lock, file, weights_folder(settings), read_allowed(settings.allowed_licenses))


def _trust(ca_bundle: str) -> None:
    """The hub's client takes its authorities from this variable when it opens the first connection."""
    import os

    os.environ["SSL_CERT_FILE"] = ca_bundle


class Bars:
    """A bar for everything and one for each file that is under way."""

    def __init__(self, progress: "Progress", total: int | None) -> None:
        self._progress = progress
        self._all = progress.add_task("total", total=total)
        self._files: dict[str, TaskID] = {}

    def begin(self, name: str, size: int) -> None:
        """A file of `size` bytes is being looked at; 0: nobody knows."""
        self._files[name] = self._progress.add_task(name, total=size or None)

    def advance(self, name: str, count: int) -> None:
        """So many more of its bytes are done."""
        self._progress.advance(self._files[name], count)
        self._progress.advance(self._all, count)

    def end(self, name: str) -> None:
        """Its bar goes."""
        self._progress.remove_task(self._files.pop(name))


@contextmanager
def bars(total: int | None) -> Iterator[Bars]:
    """Bars on a terminal's standard error; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Column

    console = Console(stderr=True)
    columns = (
        TextColumn(
            "{task.description}", markup=False, table_column=Column(max_width=48, no_wrap=True, overflow="ellipsis")
        ),
        BarColumn(bar_width=16),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bars(progress, total)


def remote(specs: "Iterable[ModelSpec]") -> "list[ModelSpec]":
    """The models that have files from afar."""
    return [spec for spec in specs if any(bundle.source.is_remote for bundle in spec.bundles)]


def bring(
    known: Ground,
    specs: "Sequence[ModelSpec]",
    offer: "Offer",
    *,
    jobs: int,
    sought: "Callable[[Wanted], Wanted]" = lambda item: item,
    is_lenient: bool = False,
) -> list[str]:
    """Get the files of models by `offer`, say how each model is now, and return what failed, as sentences.

    A model that can not be had at all, or of which there is no file, is no failure if `is_lenient`. What pickles have
    become goes into the lock. Exits with 130 on Ctrl-C.
    """
    from pipelines.fetch import Outcome, alone, fetch
    from pipelines.hub import FetchError
    from pipelines.locking import with_converted
    from pipelines.wanted import NoRoom, plan_models, refuse_full_disk

    planned, refused = plan_models(specs, known.lock, known.folder, known.allowed)
    wanted, outcome = [sought(item) for item in planned], Outcome()
    try:
        refuse_full_disk(wanted, known.folder)
        with alone(known.folder), bars(sum(item.facts.size or 0 for item in wanted)) as shown:
            fetch(wanted, offer, outcome, shown, jobs=jobs)
    except KeyboardInterrupt:
        click.echo("Stopped. What has come is kept: run it again to go on.", err=True)
        raise SystemExit(130) from None
    except (FetchError, NoRoom, OSError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        lock = with_converted(known.lock, outcome.converted)
        if outcome.converted:
            known.write(lock)
    return [text for spec in specs for text in _tell(known._replace(lock=lock), spec, outcome, refused, is_lenient)]


def _tell(
    known: Ground, spec: "ModelSpec", outcome: "Outcome", refused: dict[str, str], is_lenient: bool
) -> "Iterator[str]":
    """Print what became of a model, and yield what failed."""
    from pipelines.weights import strays

    keys = {bundle.key for bundle in spec.bundles}
    failed = [f"{key}: {path}: {why}" for (key, path), why in outcome.failed.items() if key in keys]
    if not failed:
        failed = [text for bundle in spec.bundles for text in strays(bundle, known.lock, known.folder)]
    (state,) = known.states([spec])
    if is_lenient and (spec.id in refused or not state.files_here):
        click.echo(f"{spec.id}: {refused.get(spec.id, state.text)}")
    elif spec.id in refused:
        yield refused[spec.id]
    elif failed:
        yield from failed
    else:
        click.echo(f"{spec.id}: {state.text}")


def size_text(count: int) -> str:
    """Bytes as people say them, in powers of ten."""
    from rich.filesize import decimal

    return decimal(count)
