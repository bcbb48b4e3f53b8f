"""`atelier usage`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import rich_click as click

from atelier_client.models import UsageRow
from cli.choices import NearestChoice
from cli.http.client import Client
from cli.http.connection import with_client
from cli.output.durations import Duration, spell_seconds
from cli.output.tables import format_time, json_option, print_json, print_note, print_table

FIELDS = {"model": "model", "key": "key_id", "server": "server_id", "tenant": "tenant_id"}
"""What there is a row for, and the field of a row that has it."""
NOTHING = "none"
STEPS = ("5m", "1h", "1d", "all")


@click.command()
@click.option(
    "--since", "from", type=Duration(), default="30d", show_default=True, help="Jobs that ended in this time: 12h, 7d."
)
@click.option(
    "--step", type=NearestChoice(STEPS), default="all", show_default=True, help="A row for each so long; all is one."
)
@click.option(
    "--by",
    multiple=True,
    type=NearestChoice([*FIELDS, NOTHING]),
    default=["model"],
    show_default=True,
    help="A row for each of these; may be repeated.",
)
@click.option("--tenant", help="For operators: another tenant by its name, or '*' for all.")
@json_option
@with_client
def usage(client: Client, step: str, by: tuple[str, ...], tenant: str | None, as_json: bool, **since: Any) -> None:
    """Show what jobs have taken and cost: by model, key, server or tenant, in all or by time.

    Half of the jobs were done, and were started, within the times that are shown. What ended in the last minute may be
    missing.
    """
    parts = [part for part in FIELDS if part in by]
    begin = datetime.now(UTC) - timedelta(seconds=since["from"])
    rows = client.usage(**{"from": begin.isoformat()}, step=step, by=parts or None, tenant=tenant)
    if as_json:
        print_json(rows)
        return
    times = [] if step == "all" else ["from"]
    counts = ["completed", "failed", "cancelled", "on the device", "cost in USD", "half done in", "half started in"]
    optional = ["failed", "on the device", "cancelled", "half done in", "half started in"]
    print_table([*times, *parts, *counts], [_cells(row, times, parts) for row in rows], optional=optional)
    if not rows:
        print_note("No job has ended in this time.")


def _cells(row: UsageRow, times: list[str], parts: list[str]) -> list[object]:
    return [
        *(format_time(row.since) for _ in times),
        *(getattr(row, FIELDS[part]) or NOTHING for part in parts),
        *(row.completed, row.failed, row.cancelled),
        spell_seconds(row.gpu_seconds),
        f"{round(row.cost_usd, 4):.12g}",
        *(None if bound is None else spell_seconds(bound) for bound in (row.run_p50_seconds, row.wait_p50_seconds)),
    ]
