"""`atelier webhooks`: endpoints, their deliveries, and the secret of callbacks."""

from pathlib import Path
from typing import get_args

import msgspec
import rich_click as click

from atelier_client.models import Delivery, Webhook
from cli.choices import NearestChoice
from cli.http.client import Client
from cli.http.connection import with_client
from cli.http.webhook_listener import ReceivedEvent, WebhookListener
from cli.local.data_dir import data_option
from cli.output.interrupts import set_by_signals
from cli.output.status import print_line
from cli.output.tables import format_time, json_option, print_json, print_table
from jobs.wire.webhooks import EVENTS, DeliveryState, Ended


@click.group()
def webhooks() -> None:
    """Manage webhook endpoints, their deliveries and their secrets."""


@webhooks.command("list")
@json_option
@with_client
def list_(client: Client, as_json: bool) -> None:
    """List your endpoints, newest first."""
    answers = client.webhooks()
    if as_json:
        print_json(answers)
        return
    rows = [
        [
            webhook.webhook_id,
            webhook.url,
            "all" if set(webhook.events) == set(EVENTS) else ", ".join(webhook.events),
            _format_state(webhook),
            format_time(webhook.created_at),
        ]
        for webhook in answers
    ]
    print_table(["webhook", "url", "events", "state", "created"], rows, optional=["events", "created"])


@webhooks.command()
@click.argument("target", metavar="URL")
@click.option("--event", "events", multiple=True, type=NearestChoice(EVENTS), help="Only this event; may be repeated.")
@with_client
def add(client: Client, target: str, events: tuple[str, ...]) -> None:
    """Add an endpoint that receives the events of jobs and chains at URL; prints its id and, only now, its secret."""
    webhook = client.add_webhook(target, *events)
    click.echo(f"{webhook.webhook_id}\n{webhook.secret}")


@webhooks.command()
@click.option("--event", "events", multiple=True, type=NearestChoice(EVENTS), help="Only this event; may be repeated.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port of 127.0.0.1; default: a free one.")
@click.option("--secret", "secrets", multiple=True, help="Also accept what is signed with this secret (whsec_…).")
@json_option
@with_client
def listen(client: Client, events: tuple[str, ...], port: int, secrets: tuple[str, ...], as_json: bool) -> None:
    """Receive the events of your jobs and chains on this machine and print them as they come, until Ctrl-C.

    Adds an endpoint at a port of 127.0.0.1, verifies each signature, and removes the endpoint at the end. The service
    must be allowed to connect there: `atelier up --dev`. Use the printed URL as --callback-url too, with --secret.
    """

    def show(event: ReceivedEvent) -> None:
        print_line(msgspec.json.encode(event).decode() if as_json else _describe_event(event))

    def refuse(text: str) -> None:
        click.echo(text, err=True)

    try:
        listener = WebhookListener(port=port, secrets=secrets, on_event=show, on_refusal=refuse)
    except OSError as error:
        raise click.ClickException(f"cannot listen on port {port}: {error.strerror}; choose another --port") from None
    with set_by_signals() as stop, listener:
        webhook = client.add_webhook(listener.url, *events)
        listener.secrets.append(webhook.secret)
        try:
            click.echo(f"{webhook.webhook_id} listens at {listener.url}; Ctrl-C ends it and removes it.", err=True)
            stop.wait()
        finally:
            client.remove_webhook(webhook.webhook_id)
    click.echo(f"{webhook.webhook_id} is removed.", err=True)


@webhooks.command()
@click.argument("webhook_id")
@with_client
def remove(client: Client, webhook_id: str) -> None:
    """Remove an endpoint and its pending deliveries."""
    client.remove_webhook(webhook_id)
    click.echo(f"{webhook_id} is removed")


@webhooks.command()
@click.argument("webhook_id")
@with_client
def enable(client: Client, webhook_id: str) -> None:
    """Enable an endpoint that was disabled, by its 410 or after days of failures."""
    click.echo(f"{webhook_id}: {_format_state(client.enable_webhook(webhook_id))}")


@webhooks.command()
@click.argument("webhook_id")
@with_client
def rotate(client: Client, webhook_id: str) -> None:
    """Make and print a new secret; for a day deliveries carry signatures of both."""
    click.echo(client.rotate_webhook(webhook_id).secret)


@webhooks.command()
@click.argument("webhook_id")
@with_client
def test(client: Client, webhook_id: str) -> None:
    """Send a test event; print the id of its delivery."""
    click.echo(client.test_webhook(webhook_id).delivery_id)


@webhooks.command()
@click.option("--webhook", "webhook_id", help="Only deliveries to this endpoint.")
@click.option("--job", "job_id", help="Only deliveries about this job.")
@click.option("--state", type=NearestChoice(get_args(DeliveryState)), help="Only deliveries in this state.")
@click.option("--since", help="Only deliveries created at this time or later, e.g. 2026-01-31T12:00:00Z.")
@click.option("--until", help="Only deliveries created before this time.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many, newest first.")
@json_option
@with_client
def deliveries(client: Client, as_json: bool, **filters: str | int | None) -> None:
    """List the deliveries to your endpoints and callbacks."""
    answers = client.deliveries(**filters)
    if as_json:
        print_json(answers)
        return
    rows = [
        [
            delivery.delivery_id,
            delivery.type,
            delivery.url,
            delivery.state,
            len(delivery.attempts),
            _last_outcome(delivery),
            format_time(delivery.next_attempt_at),
        ]
        for delivery in answers
    ]
    titles = ["delivery", "event", "to", "state", "attempts", "last answer", "next attempt"]
    print_table(titles, rows, optional=["event", "to", "last answer", "attempts", "next attempt"])


@webhooks.command()
@click.argument("delivery_id", required=False)
@click.option("--since", help="Instead of DELIVERY_ID: all created at this time or later, e.g. 2026-01-31T12:00:00Z.")
@click.option("--until", help="With --since: all created before this time.")
@click.option("--webhook", "webhook_id", help="Of the range, only deliveries to this endpoint.")
@click.option("--state", type=NearestChoice(get_args(Ended)), help="Of the range, this state.  [default: failed]")
@with_client
def replay(client: Client, delivery_id: str | None, **range_: str | None) -> None:
    """Send one delivery again, or the deliveries of a range of time."""
    if delivery_id is not None and not any(range_.values()):
        click.echo(f"{delivery_id}: {client.replay(delivery_id).state}")
    elif delivery_id is None and range_["since"] and range_["until"]:
        click.echo(f"deliveries sent again: {client.replay_range(**range_)}")
    else:
        raise click.UsageError("give DELIVERY_ID, or --since and --until")


@webhooks.command()
@click.option("--tenant", default="default", show_default=True, help="Name of the tenant.")
@click.option("--rotate", is_flag=True, help="Make a new secret; the old one signs too for a while.")
@data_option
def secret(tenant: str, rotate: bool, data: Path) -> None:
    """Print the secret (whsec_…) that callbacks are signed with.

    Runs where the database is, beside `atelier up` or with its settings.
    """
    from cli.operator.admin import tenant_secret  # the other commands need no database
    from cli.operator.database_errors import database_errors_explained
    from cli.operator.settings import local_settings

    with database_errors_explained():
        click.echo(tenant_secret(local_settings(data), tenant, rotate=rotate))


def _describe_event(event: ReceivedEvent) -> str:
    """Return the time, the type and the subject of an event, and why it failed."""
    data = event.body.get("data", {})
    error = data.get("error") or {}
    subject = next((data[name] for name in ("job_id", "chain_id", "webhook_id") if data.get(name)), None)
    words = [event.body.get("timestamp", ""), event.body.get("type", ""), subject]
    return "  ".join(filter(None, [*words, error.get("code"), data.get("result_url")]))


def _format_state(webhook: Webhook) -> str:
    if webhook.enabled:
        return f"failing since {format_time(webhook.failing_since)}" if webhook.failing_since else "enabled"
    return f"disabled: {webhook.disabled_because}"


def _last_outcome(delivery: Delivery) -> object:
    """Return the status of the last attempt, or the problem where there was no answer."""
    last = delivery.attempts[-1] if delivery.attempts else None
    return delivery.problem if last is None else last.status or last.problem
