"""An agent of MCP: the client of the package `mcp`, unmodified, with a key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from tests.support.service.api_server import NO_TLS

ERAS = ("auto", "legacy")
"""How a client begins: with the protocol of 2026, or with the handshake of those before."""


@asynccontextmanager
async def agent(url: str, key: str, mode: str = "auto") -> AsyncIterator[Client]:
    """A client of the tools at `/mcp`."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, verify=NO_TLS) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured content of a call, which must succeed; the client has held it to the tool's schema."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    answer: dict[str, Any] = result.structured_content
    return answer


def said(result: CallToolResult) -> str:
    """The first text of a result."""
    first = result.content[0]
    assert isinstance(first, TextContent)
    return first.text
