"""`atelier webhooks`: endpoints, what became of their deliveries, and the secret of callbacks."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.http.connection import with_client
from cli.local.data_dir import data_option
from cli.output.tables import format_time, json_option, print_json, print_table

if TYPE_CHECKING:
    from cli.http.client import Client
    from jobs.wire.webhooks import Delivery, Webhook

EVENTS = ("job.queued", "job.started", "job.completed", "job.failed", "job.cancelled")
STATES = ("pending", "delivered", "failed", "superseded")


@click.group()
def webhooks() -> None:
    """Endpoints that are told of your jobs, what they were sent, and the secret of callbacks."""


@webhooks.command("list")
@json_option
@with_client
def list_(client: "Client", as_json: bool) -> None:
    """Your endpoints, newest first."""
    found = client.webhooks()
    if as_json:
        print_json(found)
        return
    rows = [[one.webhook_id, one.url, ", ".join(one.events), _state(one), format_time(one.created_at)] for one in found]
    print_table(["webhook", "url", "events", "state", "made"], rows)


@webhooks.command()
@click.argument("target", metavar="URL")
@click.option("--event", "events", multiple=True, type=click.Choice(EVENTS), help="Only this; may be repeated.")
@with_client
def add(client: "Client", target: str, events: tuple[str, ...]) -> None:
    """Have your jobs' events posted to URL; its secret is printed below its id, and never again."""
    made = client.add_webhook(target, events)
    click.echo(f"{made.webhook_id}\n{made.secret}")


@webhooks.command()
@click.argument("webhook_id")
@with_client
def remove(client: "Client", webhook_id: str) -> None:
    """Remove an endpoint and what was still to be sent to it."""
    client.remove_webhook(webhook_id)
    click.echo(f"{webhook_id} is removed")


@webhooks.command()
@click.argument("webhook_id")
@with_client
def enable(client: "Client", webhook_id: str) -> None:
    """Bring back an endpoint that was disabled, by a 410 or because it failed for days."""
    click.echo(f"{webhook_id}: {_state(client.enable_webhook(webhook_id))}")


@webhooks.command()
@click.argument("webhook_id")
@with_client
def rotate(client: "Client", webhook_id: str) -> None:
    """Print a new secret; for a day the one before it signs too."""
    click.echo(client.rotate_webhook(webhook_id).secret)


@webhooks.command()
@click.argument("webhook_id")
@with_client
def test(client: "Client", webhook_id: str) -> None:
    """Send a test event; prints the id of its delivery."""
    click.echo(client.test_webhook(webhook_id).delivery_id)


@webhooks.command()
@click.option("--webhook", "webhook_id", help="Only to this endpoint.")
@click.option("--job", "job_id", help="Only about this job.")
@click.option("--state", type=click.Choice(STATES), help="Only these.")
@click.option("--since", help="Only those made at this time or later, e.g. 2026-01-31T12:00:00Z.")
@click.option("--until", help="Only those made before this time.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many, newest first.")
@json_option
@with_client
def deliveries(client: "Client", as_json: bool, **filters: str | int | None) -> None:
    """What was sent, or is to be sent, to your endpoints and callbacks."""
    found = client.deliveries(**filters)
    if as_json:
        print_json(found)
        return
    rows = [
        [one.delivery_id, one.type, one.url, one.state, len(one.attempts), _last(one), format_time(one.next_attempt_at)]
        for one in found
    ]
    print_table(["delivery", "event", "to", "state", "attempts", "last answer", "next attempt"], rows)


@webhooks.command()
@click.argument("delivery_id", required=False)
@click.option("--since", help="Instead of one: those made at this time or later, e.g. 2026-01-31T12:00:00Z.")
@click.option("--until", help="And before this time.")
@click.option("--webhook", "webhook_id", help="Of the range, only those to this endpoint.")
@click.option("--state", type=click.Choice(STATES[1:]), help="Of the range, those in this state.  [default: failed]")
@with_client
def replay(client: "Client", delivery_id: str | None, **range_: str | None) -> None:
    """Send one delivery again, or those of a range of time."""
    if delivery_id is not None and not any(range_.values()):
        click.echo(f"{delivery_id}: {client.replay(delivery_id).state}")
    elif delivery_id is None and range_["since"] and range_["until"]:
        click.echo(f"{client.replay_range(**range_)} are sent again")
    else:
        raise click.UsageError("Name one delivery, or give --since and --until.")


@webhooks.command()
@click.option("--tenant", default="default", show_default=True, help="Whose callbacks.")
@click.option("--rotate", is_flag=True, help="Make a new one; the old one signs too for a while.")
@data_option
def secret(tenant: str, rotate: bool, data: Path) -> None:
    """Print the secret (whsec_…) that callbacks are signed with.

    Runs where the database is, beside `atelier up` or with its settings.
    """
    from cli.operator.admin import tenant_secret
    from cli.operator.database_errors import explained
    from cli.operator.settings import local_settings

    with explained():
        click.echo(tenant_secret(local_settings(data), tenant, rotate=rotate))


def _state(webhook: "Webhook") -> str:
    if webhook.enabled:
        return f"failing since {format_time(webhook.failing_since)}" if webhook.failing_since else "enabled"
    return f"disabled: {webhook.disabled_because}"


def _last(delivery: "Delivery") -> object:
    """The status of the last attempt, else what was wrong."""
    last = delivery.attempts[-1] if delivery.attempts else None
    return delivery.problem if last is None else last.status or last.problem
