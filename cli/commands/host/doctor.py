"""`atelier doctor`: the checks of a machine of the service."""

from pathlib import Path
from textwrap import wrap

import rich_click as click
from rich.console import Console

from cli.choices import NearestChoice
from cli.local.data_dir import data_option
from cli.operator.checks import (
    CHECKS,
    Check,
    CheckStatus,
    Finding,
    api,
    broker,
    clock,
    database,
    run_check,
    schema,
    secret,
    store,
)
from cli.operator.settings import is_service_known, local_settings
from cli.output.tables import json_option, print_json

COLORS = {CheckStatus.OK: "green", CheckStatus.WARNING: "yellow", CheckStatus.ERROR: "red"}

INDENT = " " * 6
OF_A_SERVICE: tuple[Check, ...] = (secret, database, schema, clock, broker, store, api)
NO_SERVICE = (
    "no `atelier up` runs on {data}, and no ATELIER_DATABASE_URL says where another service is. Start `atelier up`,"
    " name its --data, or set the variables of the service; then run this again"
)
CHOICES = {check.__name__: check for check in (*CHECKS, api)}


@click.command()
@click.option(
    "--check",
    "names",
    type=NearestChoice(list(CHOICES)),
    multiple=True,
    help="Only this check; may be given several times. `api` is run only when it is named.",
)
@json_option
@data_option
def doctor(data: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Check device, weights, database, broker and store, and say what to fix.

    Reads the environment's settings, or those of the `atelier up` that runs on --data. Exits with 1 after an error.
    """
    settings, checks = local_settings(data), [CHOICES[name] for name in names] or CHECKS
    if not is_service_known(data):  # its default addresses are of no service that anything says is there
        checks = [check for check in checks if check not in OF_A_SERVICE]
    findings = [run_check(check, settings) for check in checks]
    if len(checks) < len(names or CHECKS):
        findings.append(Finding("service", CheckStatus.ERROR, NO_SERVICE.format(data=data)))
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            mark = click.style(f"{finding.status.value:{len(INDENT) - 1}}", fg=COLORS[finding.status])
            click.echo(f"{mark} {_fold(f'{finding.name}: {finding.text}')}")
    errors = sum(finding.status is CheckStatus.ERROR for finding in findings)
    if errors:
        raise click.ClickException(f"{errors} of {len(findings)} checks found an error")


def _fold(text: str) -> str:
    """Return lines that fit beside the mark; they are folded on a terminal only."""
    console = Console()
    room = console.width - len(INDENT) if console.is_terminal else max(map(len, text.split("\n")))
    lines = [part for line in text.split("\n") for part in wrap(line, room, break_on_hyphens=False)]
    return f"\n{INDENT}".join(lines)
