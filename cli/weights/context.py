"""What the commands of `atelier weights` work on: the files that the settings name, and the chosen models."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import rich_click as click

if TYPE_CHECKING:
    from pipelines.catalog.licenses import Allowed
    from pipelines.catalog.loader import Catalog
    from pipelines.catalog.spec import ModelSpec
    from pipelines.weights.lockfile import Lock
    from pipelines.weights.status import ModelState


class WeightsContext(NamedTuple):
    """The catalog, what is locked and where, the folder of the weights, and the licences that are allowed."""

    catalog: "Catalog"
    lock: "Lock"
    lock_file: Path
    folder: Path
    allowed: "Allowed"

    def chosen(self, names: Sequence[str]) -> "list[ModelSpec]":
        """The named models, or all of them; a name that is not in the catalog is a usage error."""
        from core.errors import UnknownModel

        try:
            return [self.catalog.get(name) for name in names] if names else list(self.catalog.models)
        except UnknownModel as error:
            known = ", ".join(spec.id for spec in self.catalog.models)
            raise click.UsageError(f"{error.detail.partition(';')[0]}; there are {known}") from None

    def states(self, specs: "Iterable[ModelSpec]") -> "list[ModelState]":
        """How far the files of models are here."""
        from pipelines.weights.status import state_of

        return [state_of(spec, self.lock, self.folder, self.allowed) for spec in specs]

    def write(self, lock: "Lock") -> None:
        """Replace the lock file. Raises `ClickException` when that can not be done."""
        from pipelines.weights.lockfile import write_lock

        try:
            write_lock(lock, self.lock_file)
        except OSError as error:
            raise click.ClickException(f"{self.lock_file} can not be written: {error.strerror}") from None


def weights_context(data: Path, *, new_lock: bool = False) -> WeightsContext:
    """What the settings name. `new_lock`: the lock file need not be there yet."""
    from cli.operator.settings import local_settings
    from pipelines.catalog.licenses import read_allowed
    from pipelines.catalog.loader import CatalogError, load_catalog
    from pipelines.weights.lockfile import SHIPPED, Lock, read_lock
    from pipelines.weights.verify import weights_folder

    try:
        settings = local_settings(data)
        file = Path(settings.weights_lock) if settings.weights_lock else SHIPPED
        lock = Lock() if new_lock and not file.exists() else read_lock(file)
        catalog = load_catalog(settings.catalog or None)
    except (CatalogError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if settings.ca_bundle:
        _trust(settings.ca_bundle)
    return WeightsContext(
        catalog, lock, file, weights_folder(settings.weights_dir), read_allowed(settings.allowed_licenses)
    )


def _trust(ca_bundle: str) -> None:
    """The hub's client takes its authorities from this variable when it opens the first connection."""
    import os

    os.environ["SSL_CERT_FILE"] = ca_bundle


def remote(specs: "Iterable[ModelSpec]") -> "list[ModelSpec]":
    """The models that have files from afar."""
    return [spec for spec in specs if any(bundle.source.is_remote for bundle in spec.bundles)]
