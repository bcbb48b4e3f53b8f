"""The tools of an API over stdin and stdout: each call goes to its `/mcp`, as the program that asks would send it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import httpx2
from mcp.client import Client as McpClient
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)
from mcp_types.version import LATEST_MODERN_VERSION

from api.dialects.mcp.texts import INSTRUCTIONS
from cli.http.client import Client
from cli.http.problems import ApiError

PATH, SOURCES = "/mcp", "source_media_urls"
SOURCE_NAMES = {SOURCES, "image", "element_input_urls", "element_input_video_urls"}
SECONDS, SILENCE_SECONDS = 30.0, 120.0
LOCAL_FILES = " The path of a local file works, too: it is uploaded."

Context = ServerRequestContext[Any, Any]


async def serve(client: Client) -> None:
    """Answer what comes on stdin until it ends; anything that is printed meanwhile goes to stderr."""
    headers = {"X-API-Key": client.key}
    timeout = httpx2.Timeout(SECONDS, read=SILENCE_SECONDS)
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False) as http,
        stdio_server() as (received, sent),
    ):
        server = proxy(client, http)
        await server.run(received, sent, server.create_initialization_options())


def proxy(client: Client, http: httpx2.AsyncClient) -> Server[Any]:
    """Return the server, whose tools are those of the API. It starts while the API is away."""
    url = client.url + PATH

    async def list_tools(context: Context, asked: PaginatedRequestParams | None) -> ListToolsResult:
        async with connected(url, http) as session:
            listed = await session.list_tools(params=asked)
        for tool in listed.tools:
            if SOURCES in tool.input_schema.get("properties", {}):
                tool.input_schema["properties"][SOURCES]["description"] += LOCAL_FILES
        return listed

    async def call_tool(context: Context, asked: CallToolRequestParams) -> CallToolResult:
        try:
            arguments = await asyncio.to_thread(with_uploads, client, asked.arguments or {})
        except ApiError as error:
            return CallToolResult(content=[TextContent(text=f"{SOURCES}: {error.message}")], is_error=True)
        call = CallToolRequest(params=CallToolRequestParams(name=asked.name, arguments=arguments))
        async with connected(url, http) as session:
            return await session.send_request(call, CallToolResult, progress_callback=context.session.report_progress)

    return Server(
        "atelier",
        version=version("atelier"),
        title="Atelier",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


@asynccontextmanager
async def connected(url: str, http: httpx2.AsyncClient) -> AsyncIterator[ClientSession]:
    """Open what sends one request: the API has no sessions, and a connection that fails ends this one alone.

    Raises `MCPError` where the API does not answer.
    """
    away = MCPError(INTERNAL_ERROR, f"No Atelier answers at {url}; start it with `atelier up`, or set ATELIER_URL.")
    try:
        transport = streamable_http_client(url, http_client=http)
        async with McpClient(transport, mode=LATEST_MODERN_VERSION, cache=None) as remote:
            yield remote.session
    except httpx2.TransportError:
        raise away from None
    except BaseExceptionGroup as group:
        _, others = group.split(httpx2.TransportError)
        if others is not None:
            raise
        raise away from None


def with_uploads(client: Client, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with an id for each local file among the sources, which is uploaded. It blocks.

    Sources are also in `shots` and `elements`. Raises `ApiError`.
    """
    return {name: _uploaded(client, value, is_source=name in SOURCE_NAMES) for name, value in arguments.items()}


def _uploaded(client: Client, value: Any, *, is_source: bool) -> Any:
    match value:
        case str() if is_source:
            return client.source(value)
        case list():
            return [_uploaded(client, one, is_source=is_source) for one in value]
        case dict():
            return with_uploads(client, value)
        case _:
            return value
