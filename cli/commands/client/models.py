"""`atelier models`."""

import rich_click as click

from atelier_client.models import ModelAnswer
from cli.http.client import Client
from cli.http.connection import with_client
from cli.output.model_columns import TITLES, needs
from cli.output.sizes import format_disk
from cli.output.tables import json_option, print_json, print_table


@click.command()
@json_option
@with_client
def models(client: Client, as_json: bool) -> None:
    """List the models of the catalog: availability, license, size on disk, and what they take of a card."""
    answers = client.models()
    if as_json:
        print_json(answers)
        return
    rows = [
        [
            model.id,
            model.modality,
            model.tier,
            ("default" if model.default else "yes") if model.available else "no",
            model.licence.name,
            *needs(model, _format_disk(model)),
        ]
        for model in answers
    ]
    optional = ["tier", *TITLES, "license"]
    print_table(["model", "modality", "tier", "available", "license", *TITLES], rows, optional=optional)


def _format_disk(model: ModelAnswer) -> str:
    least = model.disk_bytes_at_least
    return format_disk(least or model.disk_bytes, is_whole=least is None)
