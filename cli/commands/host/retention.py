"""`atelier retention`: how long a tenant's data is kept after its job has ended."""

from pathlib import Path

import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from cli.lazy import ListingGroup
from cli.local.data_dir import data_option
from cli.operator.admin import connected, tenant_row
from cli.operator.database_errors import database_errors_explained
from cli.operator.settings import local_settings
from cli.output.durations import Duration, format_duration
from cli.output.tables import print_table
from jobs.statements.maintenance.retention import keep, kept

RETENTION = Duration(retention=True)
SETTINGS = {
    "prompts": "prompt_keep_seconds",
    "inputs": "input_keep_seconds",
    "outputs": "output_keep_seconds",
    "deliveries": "delivery_keep_seconds",
    "jobs": "job_keep_seconds",
    "rows": "row_keep_seconds",
}
tenant_option = click.option("--tenant", default="default", show_default=True, help="Name of the tenant.")


@click.group(cls=ListingGroup)
def retention() -> None:
    """Show and set the retention of a tenant's data after the job's end.

    Runs where the database is, beside `atelier up` or with its settings.
    """


@retention.command("list")
@tenant_option
@data_option
def list_(tenant: str, data: Path) -> None:
    """List how long prompts, inputs, outputs, webhook deliveries, jobs and their bare rows are kept."""
    settings = local_settings(data)
    with database_errors_explained(), connected(settings) as connection:
        row = connection.execute(kept(tenant_row(connection, tenant).id)).one()._mapping
    cells = [
        [name, format_duration(getattr(settings, field) if row[name] is None else row[name]), _source(row[name])]
        for name, field in SETTINGS.items()
    ]
    print_table(["", "kept for", "set by"], cells)


@retention.command("set")
@tenant_option
@click.option("--prompts", type=RETENTION, metavar="DURATION", help="Prompts: 30d, 12h, 90m, forever or default.")
@click.option("--inputs", type=RETENTION, metavar="DURATION", help="Input files of jobs.")
@click.option("--outputs", type=RETENTION, metavar="DURATION", help="Outputs; afterwards their link answers 410.")
@click.option("--deliveries", type=RETENTION, metavar="DURATION", help="The log of webhook deliveries.")
@click.option("--jobs", type=RETENTION, metavar="DURATION", help="Whole jobs; afterwards their id answers 404.")
@click.option("--rows", type=RETENTION, metavar="DURATION", help="Jobs that have neither prompt nor outputs any more.")
@data_option
def set_(tenant: str, data: Path, **durations: float | None) -> None:
    """Set how long data is kept; options that are left out stay as they are."""
    source_of = get_current_context().get_parameter_source
    changed = {name: seconds for name, seconds in durations.items() if source_of(name) is not ParameterSource.DEFAULT}
    if not changed:
        raise click.UsageError("give at least one of --prompts, --inputs, --outputs, --deliveries, --jobs and --rows")
    with database_errors_explained(), connected(local_settings(data)) as connection:
        connection.execute(keep(tenant_row(connection, tenant).id, **changed))
    click.echo(f"{tenant}: {', '.join(f'{name} {_describe(seconds)}' for name, seconds in changed.items())}")


def _source(seconds: float | None) -> str:
    return "the service's setting" if seconds is None else "the tenant"


def _describe(seconds: float | None) -> str:
    return "as the service is set" if seconds is None else format_duration(seconds)
