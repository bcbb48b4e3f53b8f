"""`atelier doctor`: the checks of a machine of the service."""

from pathlib import Path

import rich_click as click

from cli.local.data_dir import data_option
from cli.operator.checks import CHECKS, CheckStatus, api, run_check
from cli.operator.settings import local_settings

COLORS = {CheckStatus.OK: "green", CheckStatus.WARNING: "yellow", CheckStatus.ERROR: "red"}


CHOICES = {check.__name__: check for check in (*CHECKS, api)}


@click.command()
@click.option(
    "--check",
    "names",
    type=click.Choice(list(CHOICES)),
    multiple=True,
    help="Only this check; may be given several times. `api` is run only when it is named.",
)
@data_option
def doctor(data: Path, names: tuple[str, ...]) -> None:
    """Check device, weights, database, broker and store, and say what to fix.

    Reads the environment's settings, or those of the `atelier up` that runs on --data. Exits with 1 after an error.
    """
    try:
        settings = local_settings(data)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    checks = [CHOICES[name] for name in names] or CHECKS
    findings = [run_check(check, settings) for check in checks]
    for finding in findings:
        mark = click.style(f"{finding.status.value:5}", fg=COLORS[finding.status])
        click.echo(f"{mark} {finding.name}: {finding.text}")
    errors = sum(finding.status is CheckStatus.ERROR for finding in findings)
    if errors:
        raise click.ClickException(f"{errors} of {len(findings)} checks found an error")
