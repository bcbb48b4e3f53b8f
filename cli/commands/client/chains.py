"""`atelier chains`."""

from typing import BinaryIO

import rich_click as click

from atelier_client.models import ChainAnswer
from cli.http.client import Client
from cli.http.connection import with_client
from cli.http.object_lines import read_object_lines
from cli.http.problems import in_commands
from cli.output.status import print_line
from cli.output.tables import format_time, json_option, print_facts, print_json, print_table


@click.group()
def chains() -> None:
    """Submit, list, show and cancel chains: jobs of which one's output is another's input."""


@chains.command()
@click.argument("file", type=click.File("rb"))
@click.option("--callback-url", help="Receives one signed webhook when the chain ends.")
@click.option("--idempotency-key", help="A repeat with this key and the same steps submits nothing new.")
@json_option
@with_client
def submit(
    client: Client, file: BinaryIO, callback_url: str | None, idempotency_key: str | None, as_json: bool
) -> None:
    """Submit the steps of FILE, or - for standard input: all of them or none; the id goes to standard output.

    Each line is a step as JSON: its `modality`, a `name`, and the fields of the API, of which one that takes a file may
    be step:NAME, the output of an earlier step. A chain has at most eight.
    """
    steps = read_object_lines(file)
    with steps.named("steps"):
        chain = client.submit_chain(steps.objects, callback_url=callback_url, idempotency_key=idempotency_key)
    if as_json:
        print_json(chain)
        return
    print_line(chain.chain_id)


@chains.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="Number of chains.")
@json_option
@with_client
def list_(client: Client, limit: int, as_json: bool) -> None:
    """List your newest chains."""
    answers = client.chains(limit=limit)
    if as_json:
        print_json(answers)
        return
    rows = [
        [one.chain_id, one.status, f"{one.progress:.0%}", len(one.steps), format_time(one.created_at)]
        for one in answers
    ]
    print_table(["chain", "status", "progress", "steps", "created"], rows, optional=["progress", "created"])


@chains.command()
@click.argument("chain_id")
@json_option
@with_client
def show(client: Client, chain_id: str, as_json: bool) -> None:
    """Show how far a chain is, and the job of each of its steps."""
    _print(client.chain(chain_id), as_json)


@chains.command()
@click.argument("chain_id")
@json_option
@with_client
def cancel(client: Client, chain_id: str, as_json: bool) -> None:
    """Cancel what has not ended of a chain."""
    _print(client.cancel_chain(chain_id), as_json)


def _print(chain: ChainAnswer, as_json: bool) -> None:
    if as_json:
        print_json(chain)
        return
    steps = [
        f"{step.name}: deleted" if step.job is None else f"{step.name}: {step.job.job_id} {step.job.status}"
        for step in chain.steps
    ]
    print_facts(
        {
            "chain": chain.chain_id,
            "status": chain.status,
            "progress": f"{chain.progress:.0%}",
            "steps": "\n".join(steps),
            "error": chain.error and f"{chain.failed_step}: {in_commands(chain.error.message)} [{chain.error.code}]",
            "price": f"{chain.price_usd} USD at most, {chain.cost_usd} so far",
            "created": format_time(chain.created_at),
            "finished": format_time(chain.finished_at),
            "outputs": "\n".join(output.url for output in chain.outputs),
        }
    )
