"""WhaleTools' requests as parameters of jobs, and jobs as its answers."""

import math
from collections.abc import Callable, Mapping

from api.dialects.whaletools.schema import (
    Answer,
    BackgroundAnswer,
    FailedAnswer,
    ImageAnswer,
    ImageRequest,
    PendingAnswer,
    VideoAnswer,
    VideoRequest,
    VoiceoverAnswer,
    VoiceRequest,
)
from api.dialects.whaletools.sizes import image_size, video_size
from core.errors.unknown import OutputExpired
from core.ids import check_id
from core.settings import Settings
from jobs.job import Job, JobStatus
from jobs.params.base import Quality
from jobs.params.image import ImageParams
from jobs.params.registry import Modality
from jobs.params.speech import SpeechParams
from jobs.params.video import VideoParams
from jobs.wire.status import QueueEstimate, StatusAnswer, status_answer

NAME = "whaletools"
"""The dialect of the origin of its jobs."""
PREFIXES: Mapping[Modality, str] = {
    "image": "gen_img",
    "video": "gen_vid",
    "speech": "gen_voice",
    "remove-background": "gen_rbg",
}
"""What an id begins with, by the modality of its job."""
PATHS: Mapping[Modality, str] = {
    "image": "image",
    "video": "video",
    "speech": "voice",
    "remove-background": "remove-background",
}
"""The last part of a route's path."""
QUALITIES: Mapping[str, Quality] = {
    "auto": "standard",
    "low": "fast",
    "medium": "standard",
    "hd": "pro",
    "high": "pro",
    "standard": "standard",
    "fast": "fast",
    "pro": "pro",
    "ultra": "ultra",
}
STYLES = {"natural": "", "vivid": "vivid colors, dramatic light"}
"""What a style of the documents adds to the prompt; any other is added as it is."""
TOKENS_PER_CHARACTER, LEAST_TOKENS, MOST_TOKENS = 4, 256, 4096
"""The bound of a recording's length grows with its text; slow speech has about two tokens for a character."""


def image_params(asked: ImageRequest, model: str | None) -> ImageParams:
    """Return the parameters of an image."""
    width, height = image_size(asked.size, asked.aspect_ratio)
    style = STYLES.get(asked.style or "", asked.style or "")
    return ImageParams(
        prompt=f"{asked.prompt}, {style}"[:4000] if style else asked.prompt,
        model=model,
        width=width,
        height=height,
        quality=QUALITIES[asked.quality],
        output_format="jpeg" if asked.output_format == "jpg" else asked.output_format,
        negative_prompt=asked.negative_prompt,
        seed=asked.seed,
        callback_url=asked.webhook_url,
    )


def video_params(asked: VideoRequest, model: str | None) -> VideoParams:
    """Return the parameters of a video."""
    width, height = video_size(asked.resolution, asked.aspect_ratio)
    return VideoParams(
        prompt=asked.prompt,
        model=model,
        input_image=asked.image_url,
        width=width,
        height=height,
        duration_seconds=asked.duration or 2.0,
        output_format=asked.output_format,
        negative_prompt=asked.negative_prompt,
        seed=asked.seed,
        callback_url=asked.webhook_url,
    )


def speech_params(asked: VoiceRequest, model: str | None, voice: str | None) -> SpeechParams:
    """Return the parameters of a recording; `voice` is the id of a stored voice."""
    return SpeechParams(
        text=asked.text,
        model=model,
        target_voice_path=voice,
        output_format=asked.output_format,
        language_id=asked.language,
        max_new_tokens=min(max(LEAST_TOKENS, TOKENS_PER_CHARACTER * len(asked.text)), MOST_TOKENS),
        seed=asked.seed,
        callback_url=asked.webhook_url,
    )


def generation_id(job: Job) -> str:
    """Return the id under which the dialect shows a job: the same digits behind its own prefix."""
    return f"{PREFIXES[job.modality]}_{job.id.removeprefix('job_')}"


def job_id(modality: Modality, generation: str) -> str:
    """Return the id of the job that is shown under this one. Raises `MalformedId`."""
    prefix = PREFIXES[modality]
    return f"job_{check_id(prefix, generation).removeprefix(f'{prefix}_')}"


def answer(job: Job, settings: Settings, *, estimate: float | None = None) -> Answer:
    """Return the answer of a job; raises `OutputExpired` once its files were removed."""
    if not job.status.terminal:
        return pending(job, estimate)
    if job.status is not JobStatus.COMPLETED:
        return failed(job)
    shown = status_answer(job, settings, QueueEstimate())
    if not shown.outputs or job.outputs_removed_at is not None:
        raise OutputExpired
    return _ANSWERS[job.modality](job, shown)


def pending(job: Job, estimate: float | None) -> PendingAnswer:
    """Return the answer of a job that goes on; the poll_url leads there from the base path and from the plain one."""
    shown = generation_id(job)
    return PendingAnswer(
        id=shown,
        status="processing",
        estimated_seconds=None if estimate is None else max(1, math.ceil(estimate)),
        poll_url=f"/v1/generate/{PATHS[job.modality]}/{shown}",
        model=asked_model(job),
        created_at=job.created_at,
    )


def failed(job: Job) -> FailedAnswer:
    """Return the answer of a job that ended without a result."""
    code, message = (job.error.code, job.error.message) if job.error else ("cancelled", "The job was cancelled.")
    return FailedAnswer(
        id=generation_id(job),
        status=str(job.status),
        error={"type": "generation_error", "message": message, "code": code},
        message=message,
        model=asked_model(job),
        created_at=job.created_at,
    )


def asked_model(job: Job) -> str:
    """Return the model's name as it was asked for, else that of the model that made it."""
    return job.origin.model or job.model


def _image(job: Job, shown: StatusAnswer) -> ImageAnswer:
    made = shown.outputs[0]
    return ImageAnswer(
        id=generation_id(job),
        url=made.url,
        model=asked_model(job),
        size=f"{made.width}x{made.height}",
        created_at=job.created_at,
    )


def _video(job: Job, shown: StatusAnswer) -> VideoAnswer:
    made = shown.outputs[0]
    return VideoAnswer(
        id=generation_id(job),
        status="completed",
        url=made.url,
        duration=made.duration_seconds or 0.0,
        model=asked_model(job),
        created_at=job.created_at,
    )


def _voiceover(job: Job, shown: StatusAnswer) -> VoiceoverAnswer:
    made = shown.outputs[0]
    return VoiceoverAnswer(
        id=generation_id(job),
        url=made.url,
        duration_seconds=made.duration_seconds or 0.0,
        model=asked_model(job),
        voice_id=job.origin.voice or f"voice_{job.model}",
        created_at=job.created_at,
    )


def _background(job: Job, shown: StatusAnswer) -> BackgroundAnswer:
    made = shown.outputs[0]
    source = str(job.params.get("image_url") or "")
    return BackgroundAnswer(
        id=generation_id(job),
        url=made.url,
        format=made.media_type.removeprefix("image/"),
        transparent=True,
        original_url=source if source.startswith(("http://", "https://")) else None,
        created_at=job.created_at,
    )


_ANSWERS: Mapping[str, Callable[[Job, StatusAnswer], Answer]] = {
    "image": _image,
    "video": _video,
    "speech": _voiceover,
    "remove-background": _background,
}
