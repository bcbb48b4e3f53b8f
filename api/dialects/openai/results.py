"""Answers made of jobs that have ended: what they made, or why they made nothing."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response
from litestar.response import Stream

from api.dialects.openai.errors import failure, still_running
from core.errors.unknown import OutputExpired
from core.settings import Settings
from core.storage.store import Store
from jobs.job import Artifact, Job, JobStatus
from jobs.wire.dialects.openai import images_answer

MADE_BY, JOB, WARNINGS = "X-Atelier-Model", "X-Atelier-Job", "X-Atelier-Warnings"
"""Headers: the model that made it whatever name was asked for, its job, and what was done otherwise than asked."""

EVENTS = "text/event-stream"


def no_result(jobs: Sequence[Job]) -> Response[Any] | None:
    """Return the answer of jobs of which one has failed or has not ended; None where all are completed.

    Raises `OutputExpired` for one whose outputs were removed.
    """
    for job in jobs:
        if job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
            return failure(job)
    if not all(job.status.terminal for job in jobs):
        return still_running()
    if any(job.outputs_removed_at is not None or not job.artifacts for job in jobs):
        raise OutputExpired
    return None


def headers_of(jobs: Sequence[Job]) -> Mapping[str, str]:
    """Return the headers of an answer made of these jobs."""
    headers = {MADE_BY: jobs[0].model, JOB: ", ".join(job.id for job in jobs)}
    warnings = dict.fromkeys(warning for job in jobs for warning in (*job.origin.warnings, *job.warnings))
    if warnings:
        headers[WARNINGS] = "; ".join(warnings).encode("ascii", "replace").decode()
    return headers


async def images(jobs: Sequence[Job], store: Store, settings: Settings, *, quality: str, links: bool) -> Response[Any]:
    """Return the answer of a request for images."""
    refused = no_result(jobs)
    if refused is not None:
        return refused
    read = None if links else lambda artifact: read_artifact(store, artifact)
    body = await asyncio.to_thread(images_answer, jobs, settings, quality=quality, read=read)
    return Response(body, status_code=200, headers=headers_of(jobs))


async def image_events(
    jobs: Sequence[Job], store: Store, settings: Settings, *, quality: str, verb: str
) -> Response[Any]:
    """Return the answer of a request that asks for events: one for each image, when all are there."""
    refused = no_result(jobs)
    if refused is not None:
        return refused
    events = await completed_events(jobs, store, settings, quality=quality, verb=verb)
    return event_stream(events, headers_of(jobs))


async def completed_events(
    jobs: Sequence[Job], store: Store, settings: Settings, *, quality: str, verb: str
) -> list[bytes]:
    """Return an event for each image of completed jobs."""
    body = await asyncio.to_thread(
        images_answer, jobs, settings, quality=quality, read=lambda artifact: read_artifact(store, artifact)
    )
    events = [
        {
            "type": f"image_{verb}.completed",
            "b64_json": image.b64_json,
            "created_at": body.created,
            "size": body.size,
            "quality": body.quality,
            "background": body.background,
            "output_format": body.output_format,
            "usage": body.usage,
        }
        for image in body.data
    ]
    return [event(each) for each in events]


def event_stream(events: Iterable[bytes], headers: Mapping[str, str]) -> Stream:
    """Return an answer of server-sent events."""
    return Stream(iter(events), media_type=EVENTS, headers={**headers, "Cache-Control": "no-cache"})


def event(data: dict[str, Any]) -> bytes:
    """Return one event; its name is the `type` in it."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def read_artifact(store: Store, artifact: Artifact) -> bytes:
    """Return the bytes of an output. It blocks. Raises `UnknownOutput` and `StorageUnavailable`."""
    return store.head(artifact.key, artifact.bytes)
