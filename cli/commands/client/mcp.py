"""`atelier mcp`."""

import asyncio

import rich_click as click

from cli.http.client import Client
from cli.http.connection import with_client
from cli.http.mcp_proxy import serve


@click.command()
@with_client
def mcp(client: Client) -> None:
    """Offer the tools to an agent on this machine, over stdin and stdout (Model Context Protocol).

    The agent starts this command itself; its settings name it, with the URL of the API and a key.
    """
    asyncio.run(serve(client))
