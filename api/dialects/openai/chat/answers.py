"""Chat completions as the clients read them: whole, or in chunks while they are written."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

import msgspec
from litestar import Response
from litestar.response import Stream
from msgspec import UNSET, UnsetType

from api.dialects.openai.chat.schema import ChatRequest
from api.dialects.openai.chat.translate import chat_jobs
from api.dialects.openai.errors import problem_of
from api.dialects.openai.requests import JobsOfRequest, OpenAIRequests
from api.dialects.openai.results import EVENTS, headers_of, no_result, read_artifact
from api.follow.event_stream import KEEP_ALIVE, opened
from api.follow.text_stream import TextStream, written
from api.http.strict_json import StrictRequest
from core.errors.base import AtelierError
from core.storage.store import Store
from jobs.job import Job
from jobs.wire.dialects.openai import NAME, ErrorBody, error_body
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

DONE = b"data: [DONE]\n\n"

FinishReason = Literal["stop", "length"]


class ChatUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that the model has read, and that it has written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AssistantMessage(msgspec.Struct, frozen=True):
    """What the model says."""

    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class ChatChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, and why it ends."""

    message: AssistantMessage
    finish_reason: FinishReason
    index: int = 0
    logprobs: None = None


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="chat.completion"):
    """A chat that was continued."""

    id: str
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage


class ChatDelta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a chunk adds."""

    content: str | None = None
    role: Literal["assistant"] | None = None


class ChunkChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What is added to the answer, and in the last one why it ends."""

    delta: ChatDelta
    finish_reason: FinishReason | None = None
    index: int = 0
    logprobs: None = None


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="chat.completion.chunk"):
    """A part of a chat that is being continued; `usage` is null but in the last one, where it was asked for."""

    id: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | UnsetType | None = UNSET


class ChatCompletions:
    """Continues chats as OpenAI's clients ask for them."""

    def __init__(
        self, requests: OpenAIRequests, stream: TextStream, catalog: Catalog, aliases: Aliases, store: Store
    ) -> None:
        self._requests = requests
        self._stream = stream
        self._catalog = catalog
        self._aliases = aliases
        self._store = store

    async def answer(self, request: StrictRequest, asked: ChatRequest, key: str | None) -> Response[Any] | Stream:
        """Submit a chat, and answer with what the model writes. Raises what a submit raises, and `TooManyStreams`."""

        async def read() -> JobsOfRequest:
            return chat_jobs(asked, self._aliases.model(self._catalog, "text", asked.model, NAME))

        jobs = await self._requests.submit(request, read, key)
        if not asked.stream:
            return await self._whole(await self._requests.wait(request, jobs))
        has_usage = asked.stream_options is not None and asked.stream_options.include_usage
        frames = await opened(self._frames(jobs[0], request.user.key_id, has_usage=has_usage))
        headers = {**headers_of(jobs), "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return Stream(frames, media_type=EVENTS, headers=headers)

    async def _whole(self, jobs: list[Job]) -> Response[Any]:
        refused = no_result(jobs)
        if refused is not None:
            return refused
        job = jobs[0]
        text = written(job) or (await asyncio.to_thread(read_artifact, self._store, job.artifacts[0])).decode()
        choice = ChatChoice(message=AssistantMessage(text), finish_reason=_finish_reason(job))
        body = ChatCompletion(**_head(job), choices=[choice], usage=_usage(job))
        return Response(body, status_code=200, headers=headers_of(jobs))

    async def _frames(self, job: Job, key_id: str, *, has_usage: bool) -> AsyncGenerator[bytes]:
        """Yield the chunks of a text; what goes wrong later is an event with an error, which clients raise."""
        head, without = _head(job), None if has_usage else UNSET

        def chunk(*choices: ChunkChoice, usage: ChatUsage | UnsetType | None = without) -> bytes:
            return _event(ChatChunk(**head, choices=list(choices), usage=usage))

        try:
            async with aclosing(self._stream.parts(job, key_id)) as parts:  # a client that leaves ends the subscription
                yield chunk(ChunkChoice(delta=ChatDelta("", "assistant")))
                async for part in parts:
                    if not isinstance(part, Job):
                        yield chunk(ChunkChoice(delta=ChatDelta(part))) if part else KEEP_ALIVE
                        continue
                    refused = no_result([part])
                    if refused is not None:
                        yield _event(refused.content)
                        return
                    yield chunk(ChunkChoice(delta=ChatDelta(), finish_reason=_finish_reason(part)))
                    if has_usage:
                        yield chunk(usage=_usage(part))
        except AtelierError as error:
            yield _event(_error(error))
            return
        yield DONE


def _head(job: Job) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{job.id.removeprefix('job_')}",
        "created": int(job.created_at.timestamp()),
        "model": job.origin.model or job.model,
    }


def _usage(job: Job) -> ChatUsage:
    facts = job.artifacts[0].metadata
    read, made = int(facts.get("input_tokens", 0)), int(facts.get("output_tokens", 0))
    return ChatUsage(prompt_tokens=read, completion_tokens=made, total_tokens=read + made)


def _finish_reason(job: Job) -> FinishReason:
    return "length" if job.artifacts[0].metadata.get("finish_reason") == "length" else "stop"


def _error(error: AtelierError) -> ErrorBody:
    problem = problem_of(error)
    return error_body(problem.status or error.status, problem.message, problem.code, problem.param)


def _event(data: Any) -> bytes:
    return b"data: %s\n\n" % msgspec.json.encode(data)
