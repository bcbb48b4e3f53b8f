"""`atelier migrate`: the schema of the database."""

from pathlib import Path

import rich_click as click

from cli.local.data_dir import data_option
from cli.operator.database_errors import database_errors_explained
from cli.operator.settings import local_settings
from jobs.schema import migrate as migrations


@click.command()
@data_option
def migrate(data: Path) -> None:
    """Migrate the database to the schema of this version.

    Does nothing when the schema is at this version already.
    """
    settings = local_settings(data)
    with database_errors_explained():
        migrations.migrate(settings.database_url)
        current, _ = migrations.schema_versions(settings)
    click.echo(f"The schema is at version {current}.")
