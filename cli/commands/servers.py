"""`atelier servers`."""

from typing import TYPE_CHECKING

import rich_click as click

from cli.connection import asks_api
from cli.tables import json_option, print_json, print_table

if TYPE_CHECKING:
    from cli.client import Client

GIGABYTE = 1e9


@click.command()
@json_option
@asks_api
def servers(client: "Client", as_json: bool) -> None:
    """The GPU servers: state, device, memory, what they serve and hold."""
    known = client.servers()
    if as_json:
        print_json(known)
        return
    rows = [
        [
            server.server_id,
            server.state,
            server.device,
            f"{server.memory_used / GIGABYTE:.1f} of {server.memory_total / GIGABYTE:.1f} GB",
            ", ".join(server.serves),
            ", ".join(server.resident),
            f"{server.heartbeat_age_seconds:.0f} s ago",
        ]
        for server in known
    ]
    print_table(["server", "state", "device", "memory", "serves", "holds", "heard"], rows)
