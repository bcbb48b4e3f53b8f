"""The settings with which processes serve `families/models.toml`, and the folder in which it times them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.catalog.loader import load_catalog
from pipelines.weights.lockfile import Lock, write_lock
from pipelines.weights.verify import lock_directory

MODELS = Path(__file__).parents[1] / "families" / "models.toml"


def settings_in(folder: Path, models: Path = MODELS) -> dict[str, str]:
    """Return the settings for a catalog whose weights lie in `folder`, or are shipped.

    Each folder that is there is locked as it is. `folder` is also where the processes put temporary files, the log of
    `benchmarks.families.timed` among them.
    """
    bundles = [bundle for spec in load_catalog(models).models for bundle in spec.bundles]
    there = {bundle.directory(folder): bundle for bundle in bundles if bundle.directory(folder).is_dir()}
    locked = {directory: lock_directory(bundle, directory) for directory, bundle in there.items()}
    keys = {bundle.key: bundle.directory(folder) for bundle in bundles}
    lock = Lock({key: locked[directory] for key, directory in keys.items() if directory in locked})
    write_lock(lock, folder / "weights.lock")
    return {
        "ATELIER_CATALOG": str(models),
        "ATELIER_WEIGHTS_DIR": str(folder),
        "ATELIER_WEIGHTS_LOCK": str(folder / "weights.lock"),
        "TMPDIR": str(folder),
    }


@contextmanager
def environment(settings: dict[str, str]) -> Iterator[None]:
    """Add `settings` to the environment of this process, which its engines get, for the length of the block."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
