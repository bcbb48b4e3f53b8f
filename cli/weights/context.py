"""The files and models that the commands of `atelier weights` work on."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import rich_click as click

from cli.operator.settings import local_settings
from core.errors.fields import UnknownModel
from pipelines.catalog.licenses import Allowed, read_allowed
from pipelines.catalog.loader import Catalog, CatalogError, load_catalog
from pipelines.catalog.spec import Bundle, ModelSpec
from pipelines.weights.local_lock import complete, local_lock
from pipelines.weights.lockfile import SHIPPED, Lock, LockedModel, read_lock, write_lock
from pipelines.weights.status import ModelState, state_of
from pipelines.weights.verify import weights_folder


class WeightsContext(NamedTuple):
    """The catalog, what the locks know, the lock file of the settings, the weights folder and the allowed licenses."""

    catalog: Catalog
    lock: Lock
    lock_file: Path
    folder: Path
    allowed: Allowed

    def choose(self, names: Sequence[str]) -> list[ModelSpec]:
        """Return the named models, or all of them; raise `UsageError` for a name that is not in the catalog."""
        try:
            return [self.catalog.get(name) for name in names] if names else list(self.catalog.models)
        except UnknownModel as error:
            raise click.UsageError(error.detail.replace("GET /models/v1", "`atelier weights list`")) from None

    def states(self, specs: Iterable[ModelSpec]) -> list[ModelState]:
        """Return how many of the files of each model are on this machine."""
        return [state_of(spec, self.lock, self.folder, self.allowed) for spec in specs if spec.is_local]

    @property
    def can_write(self) -> bool:
        """Whether the lock file can be replaced; the one of a container's image cannot."""
        is_new = not self.lock_file.exists()
        return os.access(self.lock_file.parent, os.W_OK) and (is_new or os.access(self.lock_file, os.W_OK))

    @property
    def target(self) -> Path:
        """The lock that new facts are written to: the local one where the other cannot be replaced."""
        return self.lock_file if self.can_write else local_lock(self.folder)

    def record(self, models: Mapping[str, LockedModel]) -> "WeightsContext":
        """Write the facts of these bundles, and return the context that knows them; others stay as the file has them.

        Raises `ClickException` when the file cannot be written.
        """
        self.rewrite(lambda written: Lock({**written.models, **models}))
        return self._replace(lock=Lock({**self.lock.models, **models}))

    def rewrite(self, change: Callable[[Lock], Lock]) -> None:
        """Replace the file by what `change` makes of its present content; raises like `record`."""
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            write_lock(change(_read(self.target)), self.target)
        except OSError as error:
            raise click.ClickException(f"{self.target} cannot be written: {error.strerror}") from None

    @property
    def bundles(self) -> list[Bundle]:
        """Every bundle of the catalog."""
        return [bundle for spec in self.catalog.models for bundle in spec.bundles]


def weights_context(data: Path, *, new_lock: bool = False) -> WeightsContext:
    """Read the catalog and the locks that the settings name. `new_lock`: the lock file may be missing."""
    try:
        settings = local_settings(data)
        file = Path(settings.weights_lock) if settings.weights_lock else SHIPPED
        folder, catalog = weights_folder(settings.weights_dir), load_catalog(settings.catalog or None)
        context = WeightsContext(catalog, Lock(), file, folder, read_allowed(settings.allowed_licenses))
        lock = _read(file) if new_lock else read_lock(file)
        lock = complete(lock, _read(local_lock(folder)), context.bundles)
    except (CatalogError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if settings.ca_bundle:  # the hub's client reads this variable when it opens its first connection
        os.environ["SSL_CERT_FILE"] = settings.ca_bundle
    return context._replace(lock=lock)


def remote(specs: Iterable[ModelSpec]) -> list[ModelSpec]:
    """Return the models with files on another machine: a hub or a web server."""
    return [spec for spec in specs if spec.is_fetched]


def _read(file: Path) -> Lock:
    return read_lock(file) if file.exists() else Lock()
