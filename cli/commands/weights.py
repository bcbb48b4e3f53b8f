"""`atelier weights`: model files and the lock that pins them."""

from pathlib import Path

import rich_click as click

from cli.home import data_option


@click.group()
def weights() -> None:
    """Model files and weights.lock."""


@weights.command()
@data_option
def lock(data: Path) -> None:
    """Write weights.lock anew for the models that come from no hub, as their folders are now."""
    from cli.admin import local_settings
    from pipelines.weights import relock
    from workers.residency import weights_folder

    settings = local_settings(data)
    made = relock(_path(settings.catalog), _path(settings.weights_lock), weights_folder(settings))
    for name, model in made.models.items():
        click.echo(f"{name}: {len(model.files)} files")


@weights.command()
@data_option
def verify(data: Path) -> None:
    """Hash every file of every model that is there and compare it with weights.lock."""
    from cli.admin import local_settings
    from jobs.errors import WeightsNotLocked
    from pipelines.catalog import load_catalog
    from pipelines.lockfile import read_lock
    from pipelines.weights import missing, verify
    from workers.residency import weights_folder

    settings = local_settings(data)
    folder, known = weights_folder(settings), read_lock(settings.weights_lock or None)
    failed = False
    for spec in load_catalog(settings.catalog or None).models:
        if not spec.source.needs_weights:
            continue
        problem = missing(spec, known, folder)
        if problem is None:
            try:
                verify(spec, known, spec.directory(folder))
            except WeightsNotLocked as error:
                problem, failed = error.detail, True
        click.echo(f"{spec.id}: {problem or 'as locked'}")
    if failed:
        raise click.ClickException("a model differs from weights.lock and will not be loaded")


def _path(text: str) -> Path | None:
    return Path(text) if text else None
