"""`atelier migrate`: the schema."""

from pathlib import Path

import rich_click as click

from cli.home import data_option


@click.command()
@data_option
def migrate(data: Path) -> None:
    """Bring the database's schema to the version of this code; does nothing when it is there already."""
    from cli.database_errors import explained
    from cli.settings import local_settings
    from jobs.database import migrate as run
    from jobs.database import schema_versions

    settings = local_settings(data)
    with explained():
        run(settings.database_url)
        current, _ = schema_versions(settings)
    click.echo(f"The schema is at version {current}.")
