"""The MCP server: its list of tools, and the way of a call to the tool and back."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import msgspec
from mcp.server import Server
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from api.dialects.mcp import texts
from api.dialects.mcp.arguments import object_schema, read_arguments
from api.dialects.mcp.schema import (
    GenerateMedia,
    GenerationEstimate,
    GenerationStatus,
    GenerationStatusOf,
    GenerationToCancel,
    GenerationToEstimate,
    ModelChoices,
    ModelsToList,
    StartedGeneration,
)
from api.dialects.mcp.tools import MediaTools, Report, ToolAnswer
from api.dialects.mcp.translate import WORDS
from api.http.problems import in_words_of, to_error
from api.http.strict_json import StrictRequest
from core.errors.base import AtelierError

LIST_SECONDS = 3600
"""How long a client may keep the list of tools, which only another version changes."""

Context = ServerRequestContext[Any, Any]


class ToolDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A tool: what agents read of it, its arguments and its answer, the scope that it needs and what runs it."""

    name: str
    title: str
    description: str
    arguments: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    scope: str
    run: Callable[[MediaTools, StrictRequest, Any, Report], Awaitable[ToolAnswer]]
    is_idempotent: bool = True
    is_destructive: bool = False

    @property
    def tool(self) -> Tool:
        """The tool as clients list it. One that needs only a scope to read changes nothing."""
        is_reading = self.scope.endswith(":read")
        return Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=object_schema(self.arguments),
            output_schema=object_schema(self.answer),
            annotations=ToolAnnotations(
                title=self.title,
                read_only_hint=is_reading,
                destructive_hint=self.is_destructive,
                idempotent_hint=self.is_idempotent,
                open_world_hint=not is_reading and not self.is_destructive,
            ),
        )


DEFINITIONS = (
    ToolDefinition(
        name="generate_media",
        title="Generate media",
        description=texts.GENERATE_MEDIA,
        arguments=GenerateMedia,
        answer=StartedGeneration,
        scope="jobs:write",
        run=MediaTools.generate_media,
        is_idempotent=False,
    ),
    ToolDefinition(
        name="get_generation_status",
        title="Status of a generation",
        description=texts.GET_GENERATION_STATUS,
        arguments=GenerationStatusOf,
        answer=GenerationStatus,
        scope="jobs:read",
        run=MediaTools.get_generation_status,
    ),
    ToolDefinition(
        name="get_generation_estimate",
        title="Estimate of a generation",
        description=texts.GET_GENERATION_ESTIMATE,
        arguments=GenerationToEstimate,
        answer=GenerationEstimate,
        scope="jobs:read",
        run=MediaTools.get_generation_estimate,
    ),
    ToolDefinition(
        name="get_models",
        title="Models",
        description=texts.GET_MODELS,
        arguments=ModelsToList,
        answer=ModelChoices,
        scope="models:read",
        run=MediaTools.get_models,
    ),
    ToolDefinition(
        name="cancel_generation",
        title="Cancel a generation",
        description=texts.CANCEL_GENERATION,
        arguments=GenerationToCancel,
        answer=GenerationStatus,
        scope="jobs:write",
        run=MediaTools.cancel_generation,
        is_destructive=True,
    ),
)


def mcp_server(tools: MediaTools) -> Server[Any]:
    """Return the server of these tools. Its requests come over HTTP, and their scope has the `Caller`."""
    definitions = {one.name: one for one in DEFINITIONS}
    listed = [one.tool for one in DEFINITIONS]
    schemas = {one.name: one.input_schema for one in listed}

    async def list_tools(context: Context, asked: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=listed)

    async def call_tool(context: Context, asked: CallToolRequestParams) -> CallToolResult:
        definition = definitions.get(asked.name)
        if definition is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool {asked.name[:80]!r}; the tools are {', '.join(definitions)}.")
        assert context.request is not None, "every transport here is one of HTTP"
        request = StrictRequest(context.request.scope)
        try:
            request.user.require(definition.scope)
            arguments = read_arguments(definition.arguments, asked.arguments or {})
            return answered(await definition.run(tools, request, arguments, rising(context.session)))
        except Exception as error:
            return refused(to_error(request, error))

    return Server(
        "atelier",
        version=version("atelier"),
        title="Atelier",
        instructions=texts.INSTRUCTIONS,
        cache_hints={"tools/list": CacheHint(ttl_ms=LIST_SECONDS * 1000, scope="public")},
        get_tool_input_schema=schemas.get,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def answered(answer: ToolAnswer) -> CallToolResult:
    """Return the result of a call: the body as structured content and as text, and what is shown beside it."""
    sentence = [] if answer.failure is None else [TextContent(text=answer.failure)]
    return CallToolResult(
        content=[*sentence, TextContent(text=msgspec.json.encode(answer.body).decode()), *answer.blocks],
        structured_content=msgspec.to_builtins(answer.body),
        is_error=answer.failure is not None,
    )


def refused(error: AtelierError) -> CallToolResult:
    """Return the result of a call that is refused: a sentence that says what to change, and the code."""
    sentence, _ = in_words_of(WORDS, error)
    sentence = sentence.replace("GET /models/v1", "get_models")
    return CallToolResult(content=[TextContent(text=f"{sentence} ({error.code})")], is_error=True)


def rising(session: ServerSession) -> Report:
    """Return what notes progress to a client that asked for it: only what is more than before."""
    last = 0.0

    async def report(progress: float, message: str) -> None:
        nonlocal last
        if progress > last:
            last = progress
            await session.report_progress(progress, 1.0, message)

    return report
