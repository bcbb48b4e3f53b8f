"""`atelier voices`."""

from typing import TYPE_CHECKING

import rich_click as click

from cli.http.connection import with_client
from cli.output.tables import format_time, json_option, print_json, print_table

if TYPE_CHECKING:
    from cli.http.client import Client


@click.group()
def voices() -> None:
    """Keep recordings that texts are to be spoken like: `atelier generate speech --voice ID`."""


@voices.command("list")
@click.option("--model", help="Only what this model can speak with.")
@click.option("--language", help="Only what can speak this language, e.g. de.")
@json_option
@with_client
def list_(client: "Client", model: str | None, language: str | None, as_json: bool) -> None:
    """The voices that you keep, newest first, and the own ones of models that are served."""
    found = client.voices(model=model, language=language)
    if as_json:
        print_json(found)
        return
    rows = [
        [voice.voice_id, voice.name, voice.model, ", ".join(voice.languages), format_time(voice.created_at)]
        for voice in found
    ]
    print_table(["voice", "name", "model", "languages", "kept since"], rows)


@voices.command()
@click.argument("file")
@click.option("--name", required=True, help="What you call it.")
@with_client
def add(client: "Client", file: str, name: str) -> None:
    """Keep FILE, a recording of one person; its id alone goes to standard output."""
    click.echo(client.add_voice(name, file).voice_id)


@voices.command()
@click.argument("voice_id")
@with_client
def remove(client: "Client", voice_id: str) -> None:
    """Remove a voice and its recording."""
    client.remove_voice(voice_id)
    click.echo(f"{voice_id} is removed")
