"""Answers that show an image while it is made: previews of its steps as partial images, and then the image."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec
from litestar.response import Stream

from api.dialects.openai.errors import problem_of
from api.dialects.openai.requests import OpenAIRequests
from api.dialects.openai.results import EVENTS, completed_events, event, headers_of, no_result
from api.dialects.openai.schema import ImageOptions
from api.follow.event_stream import KEEP_ALIVE, KEEP_ALIVE_SECONDS, opened
from api.follow.preview_feed import PreviewFeed
from api.follow.stream_limit import StreamLimit
from api.follow.subscription import Subscription
from core.errors.base import AtelierError
from core.settings import Settings
from core.storage.store import Store
from jobs.job import Job
from jobs.step_previews import StepPreview
from jobs.wire.dialects.openai import error_body


class PartialImages:
    """Answers with events of an image that is being made."""

    def __init__(
        self, requests: OpenAIRequests, feed: PreviewFeed, limit: StreamLimit, store: Store, settings: Settings
    ) -> None:
        self._requests = requests
        self._feed = feed
        self._limit = limit
        self._store = store
        self._settings = settings

    async def answer(self, key_id: str, jobs: Sequence[Job], asked: ImageOptions, verb: str) -> Stream:
        """Return the stream of the events of jobs that have not ended. Raises `TooManyStreams`."""
        frames = await opened(self._frames(key_id, jobs, asked, verb))
        return Stream(frames, media_type=EVENTS, headers={**headers_of(jobs), "Cache-Control": "no-cache"})

    async def _frames(self, key_id: str, jobs: Sequence[Job], asked: ImageOptions, verb: str) -> AsyncGenerator[bytes]:
        """Yield partial images of the first image, then all images or an error.

        Of n partial images number k comes once k/(n+1) of the steps are done, so an image that is made within seconds
        has fewer of them.
        """
        job, wanted, shown, subscription = jobs[0], asked.partial_images or 0, 0, Subscription()
        with self._limit.count_one(job.tenant):
            async with self._feed.forward(job.id, subscription):
                yield KEEP_ALIVE
                ending = asyncio.create_task(self._requests.wait_for_end(key_id, jobs))
                ending.add_done_callback(lambda _: subscription.add(None))
                try:
                    while not ending.done():
                        await subscription.next(KEEP_ALIVE_SECONDS)
                        preview = subscription.take_preview()
                        if preview is not None and shown < _due(preview, wanted):
                            yield _partial(preview, shown, job, asked, verb)
                            shown += 1
                        elif preview is None and not ending.done():
                            yield KEEP_ALIVE
                finally:
                    ending.cancel()
                    await asyncio.gather(ending, return_exceptions=True)
            for part in await self._last(ending, asked, verb):
                yield part

    async def _last(self, ending: asyncio.Task[list[Job]], asked: ImageOptions, verb: str) -> list[bytes]:
        try:
            ended = ending.result()
            refused = no_result(ended)
            if refused is not None:
                return [event(msgspec.to_builtins(refused.content))]
            return await completed_events(
                ended, self._store, self._settings, quality=asked.quality or "auto", verb=verb
            )
        except AtelierError as error:
            problem = problem_of(error)
            body = error_body(problem.status or error.status, problem.message, problem.code, problem.param)
            return [event(msgspec.to_builtins(body))]


def _due(preview: StepPreview, wanted: int) -> int:
    """Return how many partial images of `wanted` are due at a step."""
    return min(wanted, preview.step * (wanted + 1) // preview.of)


def _partial(preview: StepPreview, number: int, job: Job, asked: ImageOptions, verb: str) -> bytes:
    """Return a partial image; its format is that of the preview, whatever the image will have."""
    params: dict[str, Any] = job.params
    return event(
        {
            "type": f"image_{verb}.partial_image",
            "b64_json": preview.image.partition(",")[2],
            "partial_image_index": number,
            "created_at": int(time.time()),
            "size": f"{params['width']}x{params['height']}",
            "quality": asked.quality or "auto",
            "background": "opaque",
            "output_format": "webp",
        }
    )
