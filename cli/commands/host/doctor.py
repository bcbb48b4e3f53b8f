"""`atelier doctor`: the checks of a machine of the service."""

from pathlib import Path

import rich_click as click

from cli.local.data_dir import data_option
from cli.operator.checks import CHECKS, CheckStatus, run_check
from cli.operator.settings import local_settings

COLORS = {CheckStatus.OK: "green", CheckStatus.WARNING: "yellow", CheckStatus.ERROR: "red"}


@click.command()
@data_option
def doctor(data: Path) -> None:
    """Check device, weights, database, broker and store, and say what to fix.

    Reads the environment's settings, or those of the `atelier up` that runs on --data. Exits with 1 after an error.
    """
    try:
        settings = local_settings(data)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    findings = [run_check(check, settings) for check in CHECKS]
    for finding in findings:
        mark = click.style(f"{finding.status.value:5}", fg=COLORS[finding.status])
        click.echo(f"{mark} {finding.name}: {finding.text}")
    errors = sum(finding.status is CheckStatus.ERROR for finding in findings)
    if errors:
        raise click.ClickException(f"{errors} of {len(findings)} checks found an error")
