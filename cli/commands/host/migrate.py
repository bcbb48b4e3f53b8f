"""`atelier migrate`: the schema."""

from pathlib import Path

import rich_click as click

from cli.local.data_dir import data_option


@click.command()
@data_option
def migrate(data: Path) -> None:
    """Bring the database's schema to the version of this code; does nothing when it is there already."""
    from cli.operator.database_errors import explained
    from cli.operator.settings import local_settings
    from jobs.schema.migrate import migrate as run
    from jobs.schema.migrate import schema_versions

    settings = local_settings(data)
    with explained():
        run(settings.database_url)
        current, _ = schema_versions(settings)
    click.echo(f"The schema is at version {current}.")
