"""Responses as OpenAI's clients ask for them: the chats of `answers`, in the words of the newer route."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from itertools import count
from typing import Any

from litestar import Response
from litestar.response import Stream
from msgspec import structs

from api.dialects.openai.chat.responses_schema import InputImage, InputMessage, ResponseRequest
from api.dialects.openai.chat.schema import ChatRequest, ChatTurn, ImageLink, ImagePart, TextPart
from api.dialects.openai.chat.translate import chat_jobs
from api.dialects.openai.errors import problem_of
from api.dialects.openai.requests import JobsOfRequest, OpenAIRequests
from api.dialects.openai.results import EVENTS, event, headers_of, no_result, read_artifact
from api.follow.event_stream import KEEP_ALIVE, opened
from api.follow.text_stream import TextStream, written
from api.http.strict_json import StrictRequest
from core.errors.base import AtelierError
from core.errors.fields import InvalidRequest, NotSupportedYet
from core.storage.store import Store
from jobs.job import Job
from jobs.wire.dialects.openai import NAME, ErrorBody, error_body
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

REFUSED = {
    "tools": "models here answer in words alone",
    "background": "POST /generate/text/v1 makes a job to come back to",
    "conversation": "no chat is kept; send its turns in `input`",
    "previous_response_id": "no response is kept; send its turns in `input`",
    "prompt": "no prompts are kept; POST /generate/text/v1 has templates",
}
"""Fields without which an answer would be another one: a value is refused, unless it is empty or false."""
IGNORED = ("reasoning", "truncation", "service_tier", "store", "include", "top_logprobs", "max_tool_calls")
"""Fields that change nothing here; a header of the answer says so. Marks of caches are ignored without a word."""


class Responses:
    """Answers texts and chats; what is answered is kept as a job, and not as a response to go on from."""

    def __init__(
        self, requests: OpenAIRequests, stream: TextStream, catalog: Catalog, aliases: Aliases, store: Store
    ) -> None:
        self._requests = requests
        self._stream = stream
        self._catalog = catalog
        self._aliases = aliases
        self._store = store

    async def answer(self, request: StrictRequest, asked: ResponseRequest, key: str | None) -> Response[Any] | Stream:
        """Submit a text or a chat, and answer with what the model writes. Raises what a submit raises."""

        async def read() -> JobsOfRequest:
            return response_jobs(asked, self._aliases.model(self._catalog, "text", asked.model, NAME))

        try:
            jobs = await self._requests.submit(request, read, key)
        except InvalidRequest as error:
            if (error.field or "").startswith("$.messages"):  # the turns are counted with the instructions there
                error.detail, error.field = error.detail.replace("`messages`", "`input`"), "$.input"
            raise
        if asked.stream:
            frames = await opened(self._frames(jobs[0], asked, request.user.key_id))
            headers = {**headers_of(jobs), "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            return Stream(frames, media_type=EVENTS, headers=headers)
        ended = await self._requests.wait(request, jobs)
        refused = no_result(ended)
        if refused is not None:
            return refused
        body = await self._completed(ended[0], asked)
        return Response(body, status_code=200, headers=headers_of(ended))

    async def _completed(self, job: Job, asked: ResponseRequest) -> dict[str, Any]:
        text = written(job) or (await asyncio.to_thread(read_artifact, self._store, job.artifacts[0])).decode()
        facts = job.artifacts[0].metadata
        is_cut = facts.get("finish_reason") == "length"
        read, made = int(facts.get("input_tokens", 0)), int(facts.get("output_tokens", 0))
        return _response(job, asked, "incomplete" if is_cut else "completed") | {
            "output": [_message(job, "incomplete" if is_cut else "completed", text)],
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
            "usage": {
                "input_tokens": read,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": made,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": read + made,
            },
        }

    async def _frames(self, job: Job, asked: ResponseRequest, key_id: str) -> AsyncGenerator[bytes]:
        """Yield the events of a response; what goes wrong later is an event with an error, which clients raise."""
        numbers = count()

        def frame(type_: str, **fields: Any) -> bytes:
            return event({"type": type_, "sequence_number": next(numbers), **fields})

        place = {"item_id": _message_id(job), "output_index": 0, "content_index": 0}
        begun = _response(job, asked, "in_progress")
        try:
            async with aclosing(self._stream.parts(job, key_id)) as parts:  # a client that leaves ends the subscription
                yield frame("response.created", response=begun)
                yield frame("response.in_progress", response=begun)
                yield frame("response.output_item.added", output_index=0, item=_message(job, "in_progress"))
                yield frame("response.content_part.added", **place, part=_part(""))
                async for part in parts:
                    if not isinstance(part, Job):
                        delta = {**place, "delta": part, "logprobs": []}
                        yield frame("response.output_text.delta", **delta) if part else KEEP_ALIVE
                        continue
                    refused = no_result([part])
                    if refused is not None:
                        yield frame("error", **_error(refused.content))
                        return
                    ended = await self._completed(part, asked)
                    (item,) = ended["output"]
                    (content,) = item["content"]
                    yield frame("response.output_text.done", **place, text=content["text"], logprobs=[])
                    yield frame("response.content_part.done", **place, part=content)
                    yield frame("response.output_item.done", output_index=0, item=item)
                    yield frame(f"response.{ended['status']}", response=ended)
        except AtelierError as error:
            problem = problem_of(error)
            body = error_body(problem.status or error.status, problem.message, problem.code, problem.param)
            yield frame("error", **_error(body))


def response_jobs(asked: ResponseRequest, model: str | None) -> JobsOfRequest:
    """Return the job of a response. Raises `NotSupportedYet`, and what `chat_jobs` raises."""
    for name, reason in REFUSED.items():
        if getattr(asked, name):
            raise NotSupportedYet(f"`{name}` is not supported yet: {reason}; leave it out.", field=f"$.{name}")
    if ((asked.text or {}).get("format") or {}).get("type", "text") != "text":
        advice = "`text.format` must be text: no grammar is enforced yet; ask for JSON in words, and check it."
        raise NotSupportedYet(advice, field="$.text.format")
    chat = ChatRequest(
        model=asked.model,
        messages=tuple(_turns(asked)),
        max_completion_tokens=asked.max_output_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
    )
    jobs = chat_jobs(chat, model)
    ignored = [f"{name} is ignored" for name in IGNORED if getattr(asked, name)]
    return structs.replace(jobs, warnings=(*jobs.warnings, *ignored))


def _turns(asked: ResponseRequest) -> Iterator[ChatTurn]:
    if asked.instructions:
        yield ChatTurn(role="system", content=asked.instructions)
    if isinstance(asked.input, str):
        yield ChatTurn(role="user", content=asked.input)
        return
    for turn in asked.input:
        yield ChatTurn(role=turn.role, content=turn.content if isinstance(turn.content, str) else _parts(turn))


def _parts(turn: InputMessage) -> tuple[TextPart | ImagePart, ...]:
    return tuple(
        ImagePart(ImageLink(part.image_url)) if isinstance(part, InputImage) else TextPart(part.text)
        for part in turn.content
        if not isinstance(part, str)
    )


def _response(job: Job, asked: ResponseRequest, status: str) -> dict[str, Any]:
    """Return a response without its output."""
    return {
        "id": f"resp_{job.id.removeprefix('job_')}",
        "object": "response",
        "created_at": int(job.created_at.timestamp()),
        "status": status,
        "model": job.origin.model or job.model,
        "output": [],
        "error": None,
        "incomplete_details": None,
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "metadata": asked.metadata or {},
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "store": False,
        "temperature": asked.temperature,
        "text": {"format": {"type": "text"}},
        "tool_choice": "none",
        "tools": [],
        "top_p": asked.top_p,
        "truncation": "disabled",
        "usage": None,
    }


def _message(job: Job, status: str, text: str | None = None) -> dict[str, Any]:
    content = [] if text is None else [_part(text)]
    return {"id": _message_id(job), "type": "message", "role": "assistant", "status": status, "content": content}


def _message_id(job: Job) -> str:
    return f"msg_{job.id.removeprefix('job_')}"


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _error(body: ErrorBody) -> dict[str, Any]:
    """Return the fields of an event, with the object by which clients know an error."""
    error = body.error
    return {"code": error.code, "message": error.message, "param": error.param, "error": error}
