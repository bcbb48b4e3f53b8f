"""`atelier models`."""

import rich_click as click

from cli.http.client import Client
from cli.http.connection import with_client
from cli.output.tables import json_option, print_json, print_table


@click.command()
@json_option
@with_client
def models(client: Client, as_json: bool) -> None:
    """List the models of the catalog and their availability."""
    answers = client.models()
    if as_json:
        print_json(answers)
        return
    rows = [
        [
            model.id,
            model.modality,
            model.title,
            model.tier,
            "yes" if model.available else "no",
            "default" if model.default else "",
        ]
        for model in answers
    ]
    print_table(["model", "modality", "title", "tier", "available", "default"], rows)
