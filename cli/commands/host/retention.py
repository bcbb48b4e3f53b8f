"""`atelier retention`: how long what belongs to a job outlives it."""

from pathlib import Path

import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from cli.lazy import ListingGroup
from cli.local.data_dir import data_option
from cli.output.durations import Duration, format_duration

KEEPING = Duration(keeping=True)
SETTINGS = {
    "prompts": "prompt_keep_seconds",
    "inputs": "input_keep_seconds",
    "outputs": "output_keep_seconds",
    "deliveries": "delivery_keep_seconds",
}
tenant_option = click.option("--tenant", default="default", show_default=True, help="Whose.")


@click.group(cls=ListingGroup)
def retention() -> None:
    """How long a tenant's prompts, inputs, outputs and webhook deliveries are kept after the job's end.

    Runs where the database is, beside `atelier up` or with its settings.
    """


@retention.command("list")
@tenant_option
@data_option
def list_(tenant: str, data: Path) -> None:
    """What is kept for how long."""
    from cli.operator.admin import connected, tenant_row
    from cli.operator.database_errors import explained
    from cli.operator.settings import local_settings
    from cli.output.tables import print_table
    from jobs.statements.maintenance.retention import kept

    settings = local_settings(data)
    with explained(), connected(settings) as connection:
        row = connection.execute(kept(tenant_row(connection, tenant).id)).one()._mapping
    cells = [
        [name, format_duration(getattr(settings, field) if row[name] is None else row[name]), _whose(row[name])]
        for name, field in SETTINGS.items()
    ]
    print_table(["", "kept for", "says"], cells)


@retention.command("set")
@tenant_option
@click.option("--prompts", type=KEEPING, metavar="SPAN", help="What callers wrote: 30d, 12h, 90m, forever or default.")
@click.option("--inputs", type=KEEPING, metavar="SPAN", help="What callers sent to be worked on.")
@click.option("--outputs", type=KEEPING, metavar="SPAN", help="What was made; afterwards its link answers 410.")
@click.option("--deliveries", type=KEEPING, metavar="SPAN", help="The log of webhooks.")
@data_option
def set_(tenant: str, data: Path, **spans: float | None) -> None:
    """Keep something for so long; what is not named stays as it is."""
    from cli.operator.admin import connected, tenant_row
    from cli.operator.database_errors import explained
    from cli.operator.settings import local_settings
    from jobs.statements.maintenance.retention import keep

    source_of = get_current_context().get_parameter_source
    named = {name: seconds for name, seconds in spans.items() if source_of(name) is not ParameterSource.DEFAULT}
    if not named:
        raise click.UsageError("Say what to keep for how long: --prompts, --inputs, --outputs or --deliveries.")
    with explained(), connected(local_settings(data)) as connection:
        connection.execute(keep(tenant_row(connection, tenant).id, **named))
    click.echo(f"{tenant}: {', '.join(f'{name} {_said(seconds)}' for name, seconds in named.items())}")


def _whose(seconds: float | None) -> str:
    return "the service's setting" if seconds is None else "the tenant"


def _said(seconds: float | None) -> str:
    return "as the service is set" if seconds is None else format_duration(seconds)
