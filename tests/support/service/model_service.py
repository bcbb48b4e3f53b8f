"""A service of real processes that serves models which a test has written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.catalog.loader import load_catalog
from pipelines.weights.lockfile import Lock, write_lock
from pipelines.weights.verify import lock_directory
from tests.support.servers.databases import Databases
from tests.support.service.service import Service, service


def write_models(folder: Path, catalog: str, weights: Path) -> tuple[Path, Path]:
    """The catalog and the lock of its weights as they are, as files in `folder`."""
    models, lock = folder / "models.toml", folder / "weights.lock"
    models.write_text(catalog, "utf-8")
    bundles = [bundle for spec in load_catalog(models).models for bundle in spec.bundles]
    write_lock(Lock({bundle.key: lock_directory(bundle, bundle.directory(weights)) for bundle in bundles}), lock)
    return models, lock


@contextmanager
def model_service(
    folder: Path, catalog: str, weights: Path, *, server_id: str, postgres: Databases, broker_url: str, **settings: str
) -> Iterator[Service]:
    """API, CPU worker and one GPU worker on the CPU, of the entries in `catalog`; `weights` is locked as it is."""
    models, lock = write_models(folder, catalog, weights)
    with (
        postgres.fresh() as url,
        service(
            folder,
            database_url=url,
            broker_url=broker_url,
            ATELIER_CATALOG=str(models),
            ATELIER_WEIGHTS_LOCK=str(lock),
            ATELIER_WEIGHTS_DIR=str(weights),
            ATELIER_LEASE_SECONDS="30",
            ATELIER_UPKEEP_SECONDS="5",
            ATELIER_PROGRESS_SECONDS="0.02",  # tiny models take that long for a step
            **settings,
        ) as made,
    ):
        made.api()
        made.cpu()
        made.gpu(server_id)
        yield made
