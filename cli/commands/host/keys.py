"""`atelier keys`: API keys, in the database directly."""

from pathlib import Path

import rich_click as click

from cli.local.data_dir import data_option
from cli.operator.admin import connected, create_key
from cli.operator.database_errors import database_errors_explained
from cli.operator.settings import local_settings
from cli.output.durations import Duration
from cli.output.tables import format_time, print_table
from jobs.scopes import ADMIN, SCOPES, UNMARKED
from jobs.statements.api_keys import list_keys, revoke_key


@click.group()
def keys() -> None:
    """Create, list and revoke API keys.

    Runs where the database is, beside `atelier up` or with its settings.
    """


@keys.command()
@click.option("--tenant", default="default", show_default=True, help="Name of the tenant; a new name creates it.")
@click.option("--name", default="key", show_default=True, help="Label of the key in the list.")
@click.option(
    "--priority-ceiling", default=9, show_default=True, type=click.IntRange(0, 9), help="Highest priority of its jobs."
)
@click.option(
    "--budget-usd", type=click.FloatRange(min=0), help="Budget of the tenant, which past spending counts against."
)
@click.option("--max-running-jobs", type=click.IntRange(min=1), help="Limit of the tenant's concurrent jobs.")
@click.option("--max-waiting-jobs", type=click.IntRange(min=0), help="Limit of the tenant's unfinished jobs.")
@click.option("--local-only/--any-backend", default=None, help="Whether the tenant's jobs stay off remote backends.")
@click.option("--admin", is_flag=True, help="The same as --scope admin: cordon, drain, preload, remove servers.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    metavar="SCOPE",
    help="What it may do: read, write, admin, or finer (docs/keys.md); may be repeated. Without it what write may.",
)
@click.option("--expires-in", type=Duration(), help="When it ends by itself, e.g. 90d; never without it.")
@click.option("--unmarked", is_flag=True, help="Add the scope for results without the mark of ATELIER_WATERMARK.")
@data_option
def create(
    tenant: str,
    name: str,
    priority_ceiling: int,
    budget_usd: float | None,
    max_running_jobs: int | None,
    max_waiting_jobs: int | None,
    local_only: bool | None,
    admin: bool,
    scopes: tuple[str, ...],
    expires_in: float | None,
    unmarked: bool,
    data: Path,
) -> None:
    """Create a key and print it; it cannot be shown again."""
    with database_errors_explained():
        key_id, key = create_key(
            local_settings(data),
            tenant=tenant,
            name=name,
            priority_ceiling=priority_ceiling,
            budget_usd=budget_usd,
            max_running_jobs=max_running_jobs,
            max_waiting_jobs=max_waiting_jobs,
            local_only=local_only,
            scopes=[*scopes, *(scope for scope, given in ((ADMIN, admin), (UNMARKED, unmarked)) if given)],
            expires_in=expires_in,
        )
    click.echo(f"{key_id} for tenant {tenant}; keep the key, it is not stored:", err=True)
    click.echo(key)


@keys.command("list")
@data_option
def list_(data: Path) -> None:
    """List every key, with those that were revoked or have expired."""
    with database_errors_explained(), connected(local_settings(data)) as connection:
        rows = connection.execute(list_keys()).all()
    cells = [
        [
            row.id,
            row.tenant_name,
            row.name,
            ", ".join(row.scopes),
            *(format_time(time) for time in (row.created_at, row.last_used_at, row.expires_at, row.revoked_at)),
        ]
        for row in rows
    ]
    titles = ["key", "tenant", "name", "scopes", "created", "last used", "expires", "revoked"]
    print_table(titles, cells, optional=["tenant", "name", "scopes", "revoked", "expires", "last used", "created"])


@keys.command()
@click.argument("key_id")
@data_option
def revoke(key_id: str, data: Path) -> None:
    """Revoke a key by its id (key_…); requests with it are refused from now on."""
    with database_errors_explained(), connected(local_settings(data)) as connection:
        found = connection.execute(revoke_key(key_id)).first()
    if found is None:
        raise click.ClickException(f"no active key has the id {key_id}; `atelier keys list` shows all keys")
    click.echo(f"{key_id} is revoked.")
