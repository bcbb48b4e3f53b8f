"""The call whose answer is what its job found: the parts of an image, by labels, and a picture of them.

The client waits for it with one request of 30 s, and reads no status; the job has one as every other.
"""

import asyncio
from typing import Any

import msgspec
from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.dialects.imagepipeline.errors import ImagePipelineError, failure
from api.dialects.imagepipeline.jobs import status_route, submit_translated
from api.dialects.imagepipeline.operations import SEGMENTATION
from api.dialects.imagepipeline.schema import SegmentImage
from api.dialects.imagepipeline.translate import segment_image
from api.follow.connection import while_connected
from api.http.request_ids import request_id
from api.http.strict_json import StrictRequest
from api.submit.endpoint import IdempotencyKeyHeader, SubmitEndpoint
from core.errors.unknown import OutputExpired
from core.storage.store import Store
from jobs.job import Job, JobStatus
from jobs.statements.queue.look import JobView

WAIT_SECONDS = 25.0
"""Its client gives up after 30 s; before that it reads where the result will be."""
STILL_RUNNING = (
    "The image is still being looked at; GET /imagepipeline/segment/image/v1/status/{job} says when it is done."
)


class SegmentItem(msgspec.Struct, frozen=True):
    """A label that was found, and how it is shown."""

    label: str
    display: str


class SegmentsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of an image, those of the largest parts first, each once. `preview_url` shows the parts in colors.

    `warnings` are those of the job. The status of `job_id` has all outputs.
    """

    preview_url: str
    segments: list[SegmentItem]
    job_id: str
    warnings: list[str]


class _Labeled(msgspec.Struct, frozen=True):
    label: str


class _File(msgspec.Struct, frozen=True):
    """What is read of the job's second output (`pipelines.segment.segments.Segments`)."""

    segments: list[_Labeled]


class SegmentAnswers:
    """Submits the jobs of segmentation, waits for them, and reads what they found."""

    def __init__(self, endpoint: SubmitEndpoint, store: Store) -> None:
        self._endpoint = endpoint
        self._store = store

    async def make(self, request: StrictRequest, body: SegmentImage, key: str | None) -> Response[Any]:
        """Return the labels, or why there are none. Raises what `submit_translated` does, and `OutputExpired`."""
        submitted = await submit_translated(request, SEGMENTATION, segment_image(body), self._endpoint, key)
        view, watcher = JobView(submitted.job), self._endpoint.watcher
        seconds = min(WAIT_SECONDS, self._endpoint.settings.wait_limit)
        view = await while_connected(request.receive, watcher.wait(view, request.user.key_id, seconds), view)
        job, asked = view.job, request_id(request.scope)
        if not job.status.terminal:
            return _still_running(job, asked)
        if job.status is not JobStatus.COMPLETED:
            return failure(job, asked)
        if job.outputs_removed_at is not None:
            raise OutputExpired
        shown, listed = watcher.answer(view).outputs[0], job.artifacts[1]
        content = await asyncio.to_thread(self._store.head, listed.key, listed.bytes)
        previews = {preview.name: preview.url for preview in shown.previews}
        answer = SegmentsAnswer(
            preview_url=previews.get("web", shown.url),
            segments=_items(content),
            job_id=job.id,
            warnings=[*job.warnings],
        )
        return Response(answer)


class SegmentRoutes(Controller):
    """The routes of segmentation."""

    path = f"/{SEGMENTATION.endpoint}"
    status = status_route(SEGMENTATION)

    @post(
        status_code=200, description=f"{SEGMENTATION.summary}. It needs a model that does {SEGMENTATION.needs.words}."
    )
    async def create(
        self,
        request: StrictRequest,
        data: JSONBody[SegmentImage],
        segment_answers: NamedDependency[SegmentAnswers],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[SegmentsAnswer]:
        """Submit, and answer once the job has ended."""
        return await segment_answers.make(request, data, idempotency_key)


def _items(content: bytes) -> list[SegmentItem]:
    labels = dict.fromkeys(each.label for each in msgspec.json.decode(content, type=_File).segments)
    return [SegmentItem(label, label.replace("-", " ").capitalize()) for label in labels]


def _still_running(job: Job, asked: str) -> Response[Any]:
    said = STILL_RUNNING.format(job=job.id)
    body = ImagePipelineError(
        message=said, error=said, error_code="TIMEOUT", code="still_running", request_id=asked, detail=said
    )
    return Response(body, status_code=504, headers={"Retry-After": "3"})
