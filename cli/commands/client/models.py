"""`atelier models`."""

from typing import TYPE_CHECKING

import rich_click as click

from cli.http.connection import with_client
from cli.output.tables import json_option, print_json, print_table

if TYPE_CHECKING:
    from cli.http.client import Client


@click.command()
@json_option
@with_client
def models(client: "Client", as_json: bool) -> None:
    """The models of the catalog, and which of them a running server serves."""
    known = client.models()
    if as_json:
        print_json(known)
        return
    rows = [
        [model.id, model.modality, model.title, model.tier, "yes" if model.available else "no", _mark(model.default)]
        for model in known
    ]
    print_table(["model", "makes", "title", "tier", "available", "default"], rows)


def _mark(default: bool) -> str:
    return "default" if default else ""
