"""`atelier voices`."""

import rich_click as click

from cli.http.client import Client
from cli.http.connection import with_client
from cli.output.tables import few, format_time, json_option, print_json, print_table


@click.group()
def voices() -> None:
    """Keep voices for `atelier generate speech --voice ID`."""


@voices.command("list")
@click.option("--model", help="Only voices that this model can use.")
@click.option("--language", help="Only voices that can speak this language, e.g. de.")
@json_option
@with_client
def list_(client: Client, model: str | None, language: str | None, as_json: bool) -> None:
    """List your stored voices, newest first, then the voices of the models that are served."""
    answers = client.voices(model=model, language=language)
    if as_json:
        print_json(answers)
        return
    rows = [
        [voice.voice_id, voice.name, voice.model, few(voice.languages), format_time(voice.created_at)]
        for voice in answers
    ]
    print_table(["voice", "name", "model", "languages", "created"], rows, optional=["model", "languages", "created"])


@voices.command()
@click.argument("file")
@click.option("--name", required=True, help="Name of the voice in the list.")
@with_client
def add(client: Client, file: str, name: str) -> None:
    """Store FILE, a recording of one person, as a voice; only its id goes to standard output."""
    click.echo(client.add_voice(name, client.source(file)).voice_id)


@voices.command()
@click.argument("voice_id")
@with_client
def remove(client: Client, voice_id: str) -> None:
    """Remove a voice and its recording."""
    client.remove_voice(voice_id)
    click.echo(f"{voice_id} is removed")
