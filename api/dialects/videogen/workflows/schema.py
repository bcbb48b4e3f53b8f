"""The bodies of VideoGen's workflows, and their runs."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.chains.operations import ChainView
from api.chains.submissions import NewStep
from api.dialects.videogen.ids import from_native
from api.dialects.videogen.schema import (
    AspectRatio,
    FewFiles,
    GenerateImage,
    GenerateVideoClip,
    ToolQuality,
    WatermarkMode,
)
from api.dialects.videogen.sizes import VIDEO_SIDES, size_of
from api.dialects.videogen.translate import clip_params, image_params
from core.settings import Settings
from jobs.chains.answer import status_of
from jobs.wire.dialects.videogen import ExecutionResult, Files, VideoGenError, error_of, results_of
from jobs.wire.links import public_link

RUN = "vg_work"
PICTURE = "picture"
STATUSES = {"queued": "pending", "processing": "running", "completed": "succeeded"}
"""VideoGen's words for the statuses of chains; the others are the same."""


class PromptToVideoClip(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The body of prompt-to-video-clip."""

    prompt: str
    image_file_ids: FewFiles | None = ()
    duration_seconds: Annotated[int, Meta(ge=1, le=30)] | None = None
    aspect_ratio: AspectRatio | None = None
    quality: ToolQuality | None = "STANDARD"
    watermark_mode: WatermarkMode | None = "AUTO"

    def new_steps(self) -> list[NewStep]:
        """Return a picture and a film that begins with it; a film alone where the body has the picture.

        Raises what the two tools raise.
        """
        clip = GenerateVideoClip(
            prompt=self.prompt,
            image_file_ids=self.image_file_ids,
            duration_seconds=self.duration_seconds,
            aspect_ratio=self.aspect_ratio,
            quality=self.quality,
            watermark_mode=self.watermark_mode,
        )
        film = clip_params(clip)
        if self.image_file_ids:
            return [NewStep("film", film)]
        asked = GenerateImage(prompt=self.prompt, quality=self.quality, watermark_mode="AUTO")
        width, height = size_of(self.aspect_ratio, VIDEO_SIDES)
        still = msgspec.structs.replace(image_params(asked), width=width, height=height)
        return [
            NewStep(PICTURE, still),
            NewStep("film", msgspec.structs.replace(film, input_image=f"step:{PICTURE}")),
        ]


class WorkflowAccepted(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A run that was accepted. It has no project: this service has no editor, and the id is the run's own."""

    workflow_run_id: str
    project_id: str
    project_url: str
    remix_action_ids: list[str] = []


class WorkflowRun(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A run. `results` is empty until it has succeeded; `downloadUrl` is that of the film."""

    workflow_run_id: str
    workflow_type: str
    status: str
    progress_percentage: int
    attempt_index: int
    results: list[ExecutionResult]
    error: VideoGenError | None
    project_id: str
    project_url: str
    export_id: str | None = None
    export_file_id: str | None = None
    download_url: str | None = None
    download_url_expires_at: int | None = None
    thumbnail_url: str | None = None
    thumbnail_url_expires_at: int | None = None


class WorkflowPage(msgspec.Struct, frozen=True, rename="camel"):
    """Runs, newest first."""

    workflow_runs: list[WorkflowRun]
    has_more: bool
    next_cursor: str | None


class WorkflowCancelled(msgspec.Struct, frozen=True, rename="camel"):
    """A run whose cancel was accepted."""

    workflow_run_id: str


def run_id(chain_id: str) -> str:
    """Return the id of the run that a chain is."""
    return from_native(RUN, chain_id)


def accepted_run(chain_id: str, settings: Settings) -> WorkflowAccepted:
    """Return the answer for a chain that was accepted."""
    name = run_id(chain_id)
    return WorkflowAccepted(workflow_run_id=name, project_id=name, project_url=_url(name, settings))


def run_of(view: ChainView, settings: Settings, files: Files) -> WorkflowRun:
    """Return the run that a chain is; `files` are the items that the outputs of its jobs are."""
    jobs = [view.jobs[step.job_id] for step in view.steps if step.job_id in view.jobs]
    known = status_of(view.chain, jobs)
    status, name = STATUSES.get(known, known), run_id(view.chain.id)
    percent = int(100 * sum(job.progress for job in jobs) / len(view.steps))
    films = [job for job in jobs if job.id == view.steps[-1].job_id]
    results = results_of(films, settings, files) if status == "succeeded" else []
    first = results[0] if results else None
    return WorkflowRun(
        workflow_run_id=name,
        workflow_type=view.chain.origin.tool or "PROMPT_TO_VIDEO_CLIP",
        status=status,
        progress_percentage=100 if status == "succeeded" else min(percent, 99),
        attempt_index=max([0, *(job.attempt - 1 for job in jobs)]),
        results=results,
        error=error_of(view.chain.error, "workflow_failed") if status == "failed" else None,
        project_id=name,
        project_url=_url(name, settings),
        download_url=first.download_url if first else None,
        download_url_expires_at=first.download_url_expires_at if first else None,
        thumbnail_url=first.thumbnail_url if first else None,
        thumbnail_url_expires_at=first.thumbnail_url_expires_at if first else None,
    )


def _url(name: str, settings: Settings) -> str:
    return public_link(settings, f"/videogen/v1/workflows/runs/{name}")
