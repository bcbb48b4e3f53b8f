"""The wire formats of other services: the paths of each, how it renders errors, and its routers."""

from collections.abc import Callable, Sequence

import msgspec
from litestar import Router
from litestar.types import ASGIApp

from api.dialects.imagepipeline.errors import PATH as IMAGEPIPELINE
from api.dialects.imagepipeline.errors import ImagePipelineError
from api.dialects.imagepipeline.errors import render_error as imagepipeline_error
from api.dialects.imagepipeline.routes import imagepipeline_router
from api.dialects.imagepipeline.segments import SegmentAnswers
from api.dialects.mcp.errors import render_error as mcp_error
from api.dialects.mcp.routes import PATH as MCP
from api.dialects.mcp.routes import mcp_router
from api.dialects.openai.batches.operations import OpenAIBatches, OpenAIFiles
from api.dialects.openai.batches.routes import batch_routers
from api.dialects.openai.chat.answers import ChatCompletions
from api.dialects.openai.chat.responses import Responses
from api.dialects.openai.chat.routes import chat_routers
from api.dialects.openai.errors import render_error as openai_error
from api.dialects.openai.image_answers import OpenAIImages
from api.dialects.openai.partial_images import PartialImages
from api.dialects.openai.requests import OpenAIRequests
from api.dialects.openai.routes import PREFIXES as OPENAI
from api.dialects.openai.routes import openai_routers
from api.dialects.videogen.errors import render_error as videogen_error
from api.dialects.videogen.files import FileAnswers
from api.dialects.videogen.routes import PREFIXES as VIDEOGEN
from api.dialects.videogen.routes import videogen_routers
from api.dialects.videogen.workflows.routes import workflow_routers
from api.dialects.whaletools.errors import WhaleError
from api.dialects.whaletools.errors import render_error as whaletools_error
from api.dialects.whaletools.generations import Generations
from api.dialects.whaletools.routes import PREFIXES as WHALETOOLS
from api.dialects.whaletools.routes import whaletools_routers
from api.dialects.whaletools.texts import WhaleTexts
from api.http.problems import Renderer
from api.openapi.dialects import DocumentedFormat
from api.operations.entities import EntityOperations
from api.operations.grouped_jobs import GroupedJobs
from api.operations.profiles import ProfileOperations
from api.operations.uploads import UploadOperations
from api.operations.webhooks import WebhookOperations
from api.services import Services
from jobs.wire.dialects.openai import ErrorBody
from jobs.wire.dialects.videogen import VideoGenError


class WireFormat(msgspec.Struct, frozen=True, kw_only=True):
    """One dialect of `api.dialects`.

    Every error below one of `prefixes` is rendered by `render`: the dialect's base path, and the plain paths that it
    has to itself. The routes below the base path are in its `document`.
    """

    prefixes: tuple[str, ...]
    render: Renderer
    routers: Callable[[Services], Sequence[Router]]
    document: DocumentedFormat | None = None


def _imagepipeline(services: Services) -> Sequence[Router]:
    profiles = ProfileOperations(services.database, services.settings)
    segment_answers = SegmentAnswers(services.submit_endpoint, services.store)
    return [imagepipeline_router(profiles, segment_answers, services.settings)]


def _mcp(services: Services) -> Sequence[Router]:
    return [mcp_router(lambda: _mcp_endpoint(services), services.settings)]


def _mcp_endpoint(services: Services) -> ASGIApp:
    # The protocol's library takes a third of the time that the API needs to start, and a fifth of its memory
    from api.dialects.mcp.endpoint import MessageEndpoint
    from api.dialects.mcp.server import mcp_server
    from api.dialects.mcp.storyboards import StoryboardTools
    from api.dialects.mcp.tools import MediaTools

    tools = MediaTools(
        services.submit_endpoint,
        services.estimator,
        services.job_control,
        services.database,
        services.catalog,
        services.aliases,
        services.store,
        StoryboardTools(
            services.storyboard_submissions, services.chain_operations, services.chain_estimates, services.settings
        ),
    )
    return MessageEndpoint(mcp_server(tools), services.settings)


def _openai(services: Services) -> Sequence[Router]:
    settings, database, store, aliases = services.settings, services.database, services.store, services.aliases
    grouped_jobs = GroupedJobs(database, services.notifier, services.server_commands)
    requests = OpenAIRequests(services.submit_endpoint, database, grouped_jobs, services.store)
    uploads = UploadOperations(database, store, settings)
    partial_images = PartialImages(requests, services.preview_feed, services.stream_limit, store, settings)
    images = OpenAIImages(requests, uploads, services.catalog, aliases, partial_images, store, settings)
    files = OpenAIFiles(database, store, settings)
    batches = OpenAIBatches(database, files, services.submissions, services.catalog, aliases, settings)
    chats = ChatCompletions(requests, services.text_stream, services.catalog, aliases, store)
    responses = Responses(requests, services.text_stream, services.catalog, aliases, store)
    voices, server_commands = services.voice_operations, services.server_commands
    return [
        *openai_routers(requests, images, uploads, aliases, voices, server_commands),
        *batch_routers(files, batches),
        *chat_routers(chats, responses, settings),
    ]


def _videogen(services: Services) -> Sequence[Router]:
    own = videogen_routers(
        GroupedJobs(services.database, services.notifier, services.server_commands),
        WebhookOperations(services.database, services.settings),
        EntityOperations(services.database, services.settings),
        FileAnswers(services.database, services.settings),
    )
    return [*own, *workflow_routers(services.chain_submissions, services.chain_operations)]


def _whaletools(services: Services) -> Sequence[Router]:
    endpoint, database, notifier = services.submit_endpoint, services.database, services.notifier
    return whaletools_routers(
        Generations(endpoint, database, notifier, services.catalog, services.aliases),
        WhaleTexts(endpoint, services.text_stream),
        services.aliases,
        services.voice_operations,
        services.voice_directory,
        database,
        services.settings,
    )


WIRE_FORMATS: tuple[WireFormat, ...] = (
    WireFormat(
        prefixes=(IMAGEPIPELINE,),
        render=imagepipeline_error,
        routers=_imagepipeline,
        document=DocumentedFormat(
            name="imagepipeline", title="ImagePipeline", base=IMAGEPIPELINE, error=ImagePipelineError
        ),
    ),
    WireFormat(prefixes=(MCP,), render=mcp_error, routers=_mcp),
    WireFormat(
        prefixes=OPENAI,
        render=openai_error,
        routers=_openai,
        document=DocumentedFormat(name="openai", title="OpenAI", base=OPENAI[0], error=ErrorBody),
    ),
    WireFormat(
        prefixes=VIDEOGEN,
        render=videogen_error,
        routers=_videogen,
        document=DocumentedFormat(name="videogen", title="VideoGen", base=VIDEOGEN[0], error=VideoGenError),
    ),
    WireFormat(
        prefixes=WHALETOOLS,
        render=whaletools_error,
        routers=_whaletools,
        document=DocumentedFormat(name="whaletools", title="WhaleTools", base=WHALETOOLS[0], error=WhaleError),
    ),
)
