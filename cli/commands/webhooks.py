"""`atelier webhooks`: the secrets that callbacks are signed with."""

from pathlib import Path

import rich_click as click

from cli.home import data_option


@click.group()
def webhooks() -> None:
    """Secrets of webhooks. Runs where the database is, beside `atelier up` or with its settings."""


@webhooks.command()
@click.option("--tenant", default="default", show_default=True, help="Whose webhooks.")
@click.option("--rotate", is_flag=True, help="Make a new one; the old one signs too for a while.")
@data_option
def secret(tenant: str, rotate: bool, data: Path) -> None:
    """Print the secret (whsec_…) that a receiver verifies webhooks with, as Standard Webhooks 1.0 says."""
    from cli.admin import local_settings, tenant_secret
    from cli.database_errors import explained

    with explained():
        click.echo(tenant_secret(local_settings(data), tenant, rotate=rotate))
