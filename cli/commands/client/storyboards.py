"""`atelier storyboards`."""

from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import rich_click as click

from atelier_client.models import ChainAnswer
from cli.http.client import Client
from cli.http.connection import with_client
from cli.http.outputs import STDOUT, check_output, save_outputs, succeeded
from cli.http.progress import job_bars, watch_chain
from cli.output.durations import Duration
from cli.output.interrupts import CommandInterrupted, TimedOut, TimeLimit, time_limit
from cli.output.status import status_console
from cli.output.tables import json_option, print_json
from jobs.params.join import JOIN

SOURCES = ("image", "input_image", "element_input_urls", "element_input_video_urls")
"""Fields that take a picture or a film, of the storyboard, of a shot, and of an element."""


@click.group()
def storyboards() -> None:
    """Make one film of several shots."""


@storyboards.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, .mp4 or .webm; - is standard output.",
)
@click.option("--callback-url", help="Receives one signed webhook when the film is there.")
@click.option("--idempotency-key", help="A repeat with this key and the same shots submits nothing new.")
@click.option("--timeout", type=Duration(), help="Cancel the chain after so long: 45s, 10m, 2h.")
@click.option("--no-wait", is_flag=True, help="Print the id of the chain and end; `atelier chains show` has its state.")
@json_option
@with_client
def create(
    client: Client,
    file: BinaryIO,
    output: Path | None,
    callback_url: str | None,
    idempotency_key: str | None,
    timeout: float | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Make one film of the shots in FILE, or - for standard input.

    FILE is one object of JSON: `shots`, each with a `prompt`, and the other fields of the API. Pictures are local
    files, which are uploaded, or URLs. Without a `seed` it is 42, and -1 draws one. The shots are a chain of jobs, and
    Ctrl-C cancels it.
    """
    body = _read(file)
    if not no_wait:
        _check_choices(output, as_json=as_json)
    elif timeout is not None:
        raise click.UsageError("--no-wait ends before the film is there; leave out --timeout")
    if output is not None:
        check_output(output, 1, JOIN.formats)
        if output != STDOUT:
            body["output_format"] = JOIN.formats[output.suffix.lower()]
    if callback_url is not None:
        body["callback_url"] = callback_url
    shots = _uploaded(client, body.pop("shots", []))
    chain = client.submit_storyboard(shots, idempotency_key=idempotency_key, **_uploaded(client, body))
    if no_wait:
        print_json(chain) if as_json else click.echo(chain.chain_id)
        return
    ended = _follow(client, chain, timeout)
    for warning in ended.warnings:
        click.echo(f"note: {warning}", err=True)
    for made in _save(client, ended, output or STDOUT):
        click.echo(f"{made} ({ended.chain_id})", err=as_json)
    if as_json:
        print_json(ended)


def _read(file: BinaryIO) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise click.ClickException(f"{file.name}: {error}; write one object of JSON with `shots`") from None


def _check_choices(output: Path | None, *, as_json: bool) -> None:
    """Raise `UsageError` for options that do not go together."""
    if output is None:
        raise click.UsageError("Missing option '-o': name the file to write, or - for standard output.")
    if output == STDOUT and as_json:
        raise click.UsageError("standard output takes the film or, with --json, the answer; name a file")


def _uploaded(client: Client, value: Any) -> Any:
    """Return JSON with the local files that it names as pictures or films uploaded."""
    if isinstance(value, list):
        return [_uploaded(client, one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _source(client, one) if name in SOURCES else _uploaded(client, one) for name, one in value.items()}


def _source(client: Client, value: Any) -> Any:
    if isinstance(value, list):
        return [_source(client, one) for one in value]
    return client.source(value) if isinstance(value, str) else value


def _follow(client: Client, chain: ChainAnswer, timeout: float | None) -> ChainAnswer:
    """Show the progress of a chain and return it, completed; cancel it on Ctrl-C and after the timeout."""
    try:
        with time_limit(timeout), job_bars(status_console()) as bar:
            ended = watch_chain(client, chain, bar)
    except KeyboardInterrupt:
        client.cancel_chain(chain.chain_id)
        raise CommandInterrupted(f"{chain.chain_id} was cancelled") from None
    except TimeLimit:
        client.cancel_chain(chain.chain_id)
        raise TimedOut(f"{chain.chain_id} was not done in time and was cancelled") from None
    if ended.error is not None:
        reason = f"{ended.failed_step}: {ended.error.message} [{ended.error.code}]"
        raise click.ClickException(f"{ended.chain_id} failed at {reason}")
    if ended.status == "cancelled":
        raise click.ClickException(f"{ended.chain_id} was cancelled")
    return ended


def _save(client: Client, chain: ChainAnswer, output: Path) -> list[Path]:
    """Download the film of a completed chain; return the file, or none for standard output."""
    film = chain.steps[-1].job
    if film is None:
        raise click.ClickException(f"the film of {chain.chain_id} was deleted")
    return save_outputs(client, succeeded(film), output)
