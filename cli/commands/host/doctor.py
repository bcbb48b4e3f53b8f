"""`atelier doctor`: what is missing or wrong."""

from pathlib import Path

import rich_click as click

from cli.local.data_dir import data_option


@click.command()
@data_option
def doctor(data: Path) -> None:
    """Look at device, weights, database, schema, clock, broker and store, and say what to do about each.

    Looks with the environment's settings, or those of the `atelier up` that runs on --data. Exits with 1
    when something is wrong.
    """
    from cli.operator.checks import CHECKS, Finding, State, look
    from cli.operator.settings import local_settings

    try:
        settings = local_settings(data)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    findings: list[Finding] = [look(check, settings) for check in CHECKS]
    colors = {State.OK: "green", State.WARNING: "yellow", State.ERROR: "red"}
    for finding in findings:
        mark = click.style(f"{finding.state.value:5}", fg=colors[finding.state])
        click.echo(f"{mark} {finding.name}: {finding.text}")
    wrong = sum(finding.state is State.ERROR for finding in findings)
    if wrong:
        raise click.ClickException(f"{wrong} of {len(findings)} checks found something wrong")
