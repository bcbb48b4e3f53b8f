"""`atelier keys`: API keys, made where the database is."""

from pathlib import Path

import rich_click as click

from cli.local.data_dir import data_option


@click.group()
def keys() -> None:
    """Make, list and revoke API keys. Runs where the database is, beside `atelier up` or with its settings."""


@keys.command()
@click.option("--tenant", default="default", show_default=True, help="Who the key acts for; made when new.")
@click.option("--name", default="key", show_default=True, help="What it is for, as the list shows it.")
@click.option(
    "--priority-ceiling", default=9, show_default=True, type=click.IntRange(0, 9), help="The most its jobs may ask for."
)
@click.option(
    "--budget-usd", type=click.FloatRange(min=0), help="Give the tenant this budget, all spending so far counted in."
)
@click.option(
    "--max-running-jobs", type=click.IntRange(min=1), help="Let so many of the tenant's jobs run at once, and no more."
)
@click.option("--admin", is_flag=True, help="It may also order servers about: cordon, drain, preload, remove.")
@data_option
def create(
    tenant: str,
    name: str,
    priority_ceiling: int,
    budget_usd: float | None,
    max_running_jobs: int | None,
    admin: bool,
    data: Path,
) -> None:
    """Make a key and print it; it can not be shown again."""
    from cli.operator.admin import create_key
    from cli.operator.database_errors import explained
    from cli.operator.settings import local_settings

    with explained():
        key_id, key = create_key(
            local_settings(data),
            tenant=tenant,
            name=name,
            priority_ceiling=priority_ceiling,
            budget_usd=budget_usd,
            max_running_jobs=max_running_jobs,
            admin=admin,
        )
    click.echo(f"{key_id} for tenant {tenant}; keep the key, it is not stored:", err=True)
    click.echo(key)


@keys.command("list")
@data_option
def list_(data: Path) -> None:
    """Every key, living or revoked."""
    from cli.operator.admin import connected
    from cli.operator.database_errors import explained
    from cli.operator.settings import local_settings
    from cli.output.tables import format_time, print_table
    from jobs.statements.api_keys import list_keys

    with explained(), connected(local_settings(data)) as connection:
        rows = connection.execute(list_keys()).all()
    cells = [
        [row.id, row.tenant, row.name, ", ".join(row.scopes), format_time(row.created_at), format_time(row.revoked_at)]
        for row in rows
    ]
    print_table(["key", "tenant", "name", "scopes", "made", "revoked"], cells)


@keys.command()
@click.argument("key_id")
@data_option
def revoke(key_id: str, data: Path) -> None:
    """Revoke a key by its id (key_…); requests with it are refused from now on."""
    from cli.operator.admin import connected
    from cli.operator.database_errors import explained
    from cli.operator.settings import local_settings
    from jobs.statements.api_keys import revoke_key

    with explained(), connected(local_settings(data)) as connection:
        found = connection.execute(revoke_key(key_id)).first()
    if found is None:
        raise click.ClickException(f"no living key has the id {key_id}; `atelier keys list` shows them")
    click.echo(f"{key_id} is revoked.")
