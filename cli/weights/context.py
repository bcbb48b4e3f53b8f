"""The files and models that the commands of `atelier weights` work on."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import rich_click as click

from cli.operator.settings import local_settings
from core.errors.fields import UnknownModel
from pipelines.catalog.licenses import Allowed, read_allowed
from pipelines.catalog.loader import Catalog, CatalogError, load_catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.weights.lockfile import SHIPPED, Lock, read_lock, write_lock
from pipelines.weights.status import ModelState, state_of
from pipelines.weights.verify import weights_folder


class WeightsContext(NamedTuple):
    """The catalog, the lock and its file, the weights folder and the allowed licenses."""

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
            known = ", ".join(spec.id for spec in self.catalog.models)
            raise click.UsageError(f"{error.detail.partition(';')[0]}; there are {known}") from None

    def states(self, specs: Iterable[ModelSpec]) -> list[ModelState]:
        """Return how many of the files of each model are on this machine."""
        return [state_of(spec, self.lock, self.folder, self.allowed) for spec in specs]

    @property
    def can_write(self) -> bool:
        """Whether the lock file can be replaced; the one of a container's image cannot."""
        return os.access(self.lock_file, os.W_OK) and os.access(self.lock_file.parent, os.W_OK)

    def write(self, lock: Lock) -> None:
        """Replace the lock file; raise `ClickException` when that fails."""
        try:
            write_lock(lock, self.lock_file)
        except OSError as error:
            raise click.ClickException(f"{self.lock_file} cannot be written: {error.strerror}") from None


def weights_context(data: Path, *, new_lock: bool = False) -> WeightsContext:
    """Read the catalog and the lock that the settings name. `new_lock`: the lock file may be missing."""
    try:
        settings = local_settings(data)
        file = Path(settings.weights_lock) if settings.weights_lock else SHIPPED
        lock = Lock() if new_lock and not file.exists() else read_lock(file)
        catalog = load_catalog(settings.catalog or None)
    except (CatalogError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if settings.ca_bundle:  # the hub's client reads this variable when it opens its first connection
        os.environ["SSL_CERT_FILE"] = settings.ca_bundle
    return WeightsContext(
        catalog, lock, file, weights_folder(settings.weights_dir), read_allowed(settings.allowed_licenses)
    )


def remote(specs: Iterable[ModelSpec]) -> list[ModelSpec]:
    """Return the models with files on another machine: a hub or a web server."""
    return [spec for spec in specs if any(bundle.source.is_remote for bundle in spec.bundles)]
