"""A text while it is written: its parts from the job's channel, and its end from the row."""

import asyncio
from collections.abc import AsyncGenerator

from api.follow.event_stream import KEEP_ALIVE_SECONDS
from api.follow.preview_feed import PreviewFeed
from api.follow.stream_limit import StreamLimit
from api.follow.subscription import Subscription
from api.follow.watcher import JobWatcher
from jobs.job import Job
from jobs.statements.queue.look import JobView

LONGEST_SECONDS = 3600.0
"""How long a text is followed; a stream that ends before its text does has the job as it is then."""


class TextStream:
    """Follows jobs of texts. A part that Redis does not bring comes with the next one, or with the end."""

    def __init__(self, watcher: JobWatcher, feed: PreviewFeed, limit: StreamLimit) -> None:
        self._watcher = watcher
        self._feed = feed
        self._limit = limit

    async def parts(self, job: Job, key_id: str) -> AsyncGenerator[str | Job]:
        """Yield what is added to the text as it comes, and at last the job; all parts together are the text.

        A part is empty at the beginning, and when there was none for `KEEP_ALIVE_SECONDS`. Raises `TooManyStreams`
        before the first, and what `JobWatcher.wait` raises.
        """
        subscription, sent = Subscription(), ""
        with self._limit.count_one(job.tenant):
            async with self._feed.forward(job.id, subscription):
                waiting = self._watcher.wait(JobView(job), key_id, LONGEST_SECONDS)
                ending = asyncio.create_task(waiting)
                ending.add_done_callback(lambda _: subscription.add(None))
                try:
                    yield ""
                    while not ending.done():
                        await subscription.next(KEEP_ALIVE_SECONDS)
                        preview = subscription.take_preview()
                        part = _added(sent, preview.text or "") if preview is not None else ""
                        sent += part
                        yield part
                finally:
                    ending.cancel()
                    await asyncio.gather(ending, return_exceptions=True)
        ended = ending.result().job
        yield _added(sent, written(ended))
        yield ended


def written(job: Job) -> str:
    """Return the text of a completed job; empty for any other, and for one whose text is in its file alone."""
    return str(job.artifacts[0].metadata.get("text") or "") if job.artifacts else ""


def _added(sent: str, text: str) -> str:
    """Return what follows `sent` in a text; nothing while another attempt is still behind it."""
    return text[len(sent) :] if text.startswith(sent) else ""
