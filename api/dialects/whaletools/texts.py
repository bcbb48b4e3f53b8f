"""Texts that are read while they are written: parts as server-sent events, and what the whole took at the end."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from litestar.response import Stream

from api.dialects.whaletools.errors import failure
from api.dialects.whaletools.generations import MADE_BY
from api.follow.event_stream import KEEP_ALIVE, opened
from api.follow.text_stream import TextStream
from api.http.strict_json import StrictRequest
from api.submit.endpoint import SubmitEndpoint
from core.settings import Settings
from jobs.job import Job
from jobs.params.requests.origin import Origin
from jobs.params.text import TextParams
from jobs.wire.dialects.whaletools import CompletionAnswer, TextChunk, answer, generation_id

DONE = b"data: [DONE]\n\n"


class WhaleTexts:
    """Submits requests for texts and answers with their parts."""

    def __init__(self, endpoint: SubmitEndpoint, stream: TextStream) -> None:
        self._endpoint = endpoint
        self._stream = stream

    async def stream(self, request: StrictRequest, params: TextParams, key: str | None, origin: Origin) -> Stream:
        """Submit, and answer with the text as it is written. Raises `TooManyStreams`."""
        submitted = await self._endpoint.submit(request, params, idempotency_key=key, origin=origin)
        frames = await opened(self._frames(submitted.job, request.user.key_id))
        headers = {MADE_BY: submitted.job.model, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return Stream(frames, media_type="text/event-stream", headers=headers)

    async def _frames(self, job: Job, key_id: str) -> AsyncGenerator[bytes]:
        shown = generation_id(job)
        async with aclosing(self._stream.parts(job, key_id)) as parts:  # a client that leaves ends the subscription
            async for part in parts:
                if isinstance(part, Job):
                    yield _last(part, self._endpoint.settings)
                elif part:
                    yield _event(TextChunk(id=shown, text=part))
                else:
                    yield KEEP_ALIVE
        yield DONE


def _last(job: Job, settings: Settings) -> bytes:
    """Return what the whole text took, or why there is none."""
    found = answer(job, settings) if job.artifacts else None
    if not isinstance(found, CompletionAnswer):
        return b"event: error\n" + _event(failure(job).content)
    last = TextChunk(id=found.id, text="", model=found.model, usage=found.usage, created_at=found.created_at)
    return _event(last)


def _event(data: msgspec.Struct) -> bytes:
    return b"data: %s\n\n" % msgspec.json.encode(data)
