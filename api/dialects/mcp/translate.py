"""Tool calls as parameters of jobs, and jobs and models as answers of the tools."""

import re
from collections.abc import Sequence

from api.dialects.mcp.schema import (
    Dimensions,
    GenerateMedia,
    GenerationFailure,
    GenerationOutput,
    GenerationStatus,
    GenerationType,
    InputCounts,
    MediaType,
    ModelAbilities,
    ModelChoice,
    ModelCosts,
    StartedGeneration,
)
from core.errors.fields import InvalidRequest, MissingField, NotThisModel, OutOfRange
from core.settings import Settings
from jobs.job import Job
from jobs.params.cutout import CutoutParams
from jobs.params.image import ImageParams
from jobs.params.mesh import MeshParams
from jobs.params.registry import AnyParams, Modality
from jobs.params.speech import SpeechParams, tokens_for
from jobs.params.video import VideoParams
from jobs.wire.status import OutputAnswer, StatusAnswer
from pipelines.catalog.requirements import takes_input_as_reference
from pipelines.catalog.sizes import fit_sides, parse_pair
from pipelines.catalog.spec import ModelSpec

NAME = "mcp"
"""The dialect of the origin of its jobs."""
MODALITY_OF: dict[GenerationType, Modality] = {
    "text-to-image": "image",
    "image-to-image": "image",
    "text-to-video": "video",
    "image-to-video": "video",
    "text-to-speech": "speech",
    "image-to-3d": "3d",
    "remove-background": "remove-background",
}
FROM_TEXT: tuple[GenerationType, ...] = ("text-to-image", "text-to-video")
SIDES: dict[Modality, tuple[tuple[int, int], int]] = {"image": ((64, 1024), 1), "video": ((64, 1536), 32)}
"""The shortest and the longest side of the parameters, and what sides are multiples of."""
WORDS = {
    "text": "prompt",
    "input_image": "source_media_urls[0]",
    "image_path": "source_media_urls[0]",
    "image_url": "source_media_urls[0]",
    "target_voice_path": "source_media_urls[0]",
    "last_image": "source_media_urls[1]",
    "reference_images": "source_media_urls",
    **{f"reference_images[{number}]": f"source_media_urls[{number + 1}]" for number in range(16)},
    "duration_seconds": "duration",
    "width": "aspect_ratio",
    "height": "aspect_ratio",
}
"""Names of arguments, by those of the parameters."""
DEFAULT_SECONDS = 2.0
"""Of a video whose call says none, as `VideoParams` has it."""
POLL_SECONDS = 2, 30
"""Between two looks at a generation: at least, and at most."""
_SECONDS = re.compile(r"\s*([0-9]{1,4}(?:\.[0-9]{1,3})?)\s*(?:s|sec|seconds?)?\s*", re.IGNORECASE)


def generation_types(spec: ModelSpec) -> list[GenerationType]:
    """Return what a model can be asked to do; none for a model of another kind, which these tools do not offer."""
    able = spec.capabilities
    if spec.modality == "image":
        has_sources = "image-to-image" in able or "references" in able
        made: list[tuple[GenerationType, bool]] = [
            ("text-to-image", "text-to-image" in able),
            ("image-to-image", has_sources),
        ]
        return [name for name, can in made if can]
    return [name for name, modality in MODALITY_OF.items() if modality == spec.modality and _can(spec, name)]


def _can(spec: ModelSpec, name: GenerationType) -> bool:
    return spec.modality != "video" or name in spec.capabilities


def input_counts(spec: ModelSpec, name: GenerationType) -> InputCounts:
    """Return how many sources a generation type of a model takes."""
    if name in FROM_TEXT:
        return InputCounts(0, 0)
    if name == "image-to-image":
        own = 0 if takes_input_as_reference(spec) else 1
        return InputCounts(1, own + spec.limits.max_references)
    if name == "image-to-video":
        return InputCounts(1, 2 if "first-last-frame" in spec.capabilities else 1)
    if name == "text-to-speech":
        return InputCounts(0, 1 if "reference-voice" in spec.capabilities else 0)
    return InputCounts(1, 1)


def chosen_type(spec: ModelSpec, asked: GenerationType | None, sources: Sequence[str]) -> GenerationType:
    """Return the generation type of a call. Raises `NotThisModel` for one that the model does not do."""
    able = generation_types(spec)
    if not able:
        raise NotThisModel(f"{spec.id} is not offered here; choose a model of get_models.", field="$.model")
    if asked is None and len(able) > 1 and spec.modality != "image":
        asked = able[1] if sources else able[0]
    name = asked or able[0]
    if name not in able:
        offered = " or ".join(able)
        raise NotThisModel(
            f"`generation_type` {name} is not what {spec.id} does; send {offered}, or choose another model of "
            "get_models.",
            field="$.generation_type",
        )
    return name


def sources_of(asked: GenerateMedia) -> list[str]:
    """Return the sources of a call, whether it says one or several."""
    given = asked.source_media_urls
    return [given] if isinstance(given, str) else given


def check_sources(spec: ModelSpec, name: GenerationType, sources: Sequence[str]) -> None:
    """Raise `MissingField` or `InvalidRequest` for a number of sources that the generation type does not take."""
    takes, count, field = input_counts(spec, name), len(sources), "$.source_media_urls"
    if count < takes.min:
        raise MissingField(f"`source_media_urls` is required for {name}; add the URL of the input.", field=field)
    if count > takes.max:
        advice = f"send at most {takes.max}" if takes.max else "remove it, or choose another `generation_type`"
        detail = f"`source_media_urls` has {count} entries; for {name} with {spec.id} {advice}."
        raise InvalidRequest(detail, field=field)


def job_params(asked: GenerateMedia, spec: ModelSpec) -> AnyParams:
    """Return the parameters of the job that a call asks for. Raises `OutOfRange` for a duration that is none."""
    sources = sources_of(asked)
    match spec.modality:
        case "image":
            width, height = _size(spec, asked.aspect_ratio)
            return ImageParams(
                prompt=asked.prompt,
                model=spec.id,
                input_image=sources[0] if sources else None,
                reference_images=tuple(sources[1:]),
                negative_prompt=asked.negative_prompt,
                width=width,
                height=height,
                quality=asked.quality,
                seed=asked.seed,
            )
        case "video":
            width, height = _size(spec, asked.aspect_ratio)
            first, last = (*sources, None, None)[:2]
            seconds = DEFAULT_SECONDS if asked.duration is None else seconds_of(asked.duration)
            return VideoParams(
                prompt=asked.prompt,
                model=spec.id,
                input_image=first,
                last_image=last,
                negative_prompt=asked.negative_prompt,
                width=width,
                height=height,
                quality=asked.quality,
                seed=asked.seed,
                duration_seconds=seconds,
            )
        case "speech":
            return SpeechParams(
                text=asked.prompt,
                model=spec.id,
                target_voice_path=sources[0] if sources else None,
                max_new_tokens=tokens_for(asked.prompt),
                output_format="mp3",
                seed=asked.seed,
            )
        case "3d":
            return MeshParams(image_path=sources[0] if sources else "", model=spec.id, seed=asked.seed)
        case _:
            return CutoutParams(image_url=sources[0] if sources else "", model=spec.id)


def seconds_of(duration: str | float) -> float:
    """Return the seconds of "5s", "5" or 5. Raises `OutOfRange`."""
    if not isinstance(duration, str):
        return duration
    match = _SECONDS.fullmatch(duration)
    if match is None:
        raise OutOfRange('`duration` must be seconds, such as "5s".', field="$.duration")
    return float(match[1])


def ignored(asked: GenerateMedia, spec: ModelSpec) -> tuple[str, ...]:
    """Return a sentence for each argument that changes nothing for this model."""
    without = []
    if asked.sound:
        without.append("sound")
    if asked.duration is not None and spec.modality != "video":
        without.append("duration")
    if asked.negative_prompt is not None and "negative-prompt" not in spec.capabilities:
        without.append("negative_prompt")
    return tuple(f"`{name}` is ignored: {spec.id} does not support it." for name in without)


def started(job: Job, name: GenerationType, seconds: float | None, settings: Settings) -> StartedGeneration:
    """Return the answer to a call that started a generation; `seconds` is the estimate of the time to its end."""
    return StartedGeneration(
        generation_id=job.id,
        status=job.status.value,
        model=job.model,
        generation_type=name,
        estimated_time_seconds=seconds,
        estimated_cost_credits=in_credits(job.price_usd or 0.0, settings),
        poll_after_seconds=poll_after(seconds),
        warnings=list(job.origin.warnings),
    )


def generation_status(job: Job, shown: StatusAnswer) -> GenerationStatus:
    """Return a generation as its native status shows it."""
    error = shown.error
    return GenerationStatus(
        generation_id=job.id,
        status=job.status.value,
        model=job.model,
        progress=round(shown.progress, 4),
        waiting_for=shown.waiting_for.message if shown.waiting_for else None,
        estimated_time_seconds=shown.estimated_seconds,
        cost_credits=shown.credits,
        poll_after_seconds=None if job.status.terminal else poll_after(shown.estimated_seconds),
        outputs=[] if job.outputs_removed_at else [generation_output(output) for output in shown.outputs],
        error=GenerationFailure(error.code, error.message) if error else None,
        warnings=list(dict.fromkeys((*job.origin.warnings, *shown.warnings))),
    )


def generation_output(output: OutputAnswer) -> GenerationOutput:
    """Return an output as the tools show it."""
    copies = {preview.name: preview.url for preview in output.previews}
    has_sides = output.width is not None and output.height is not None
    return GenerationOutput(
        url=output.url,
        thumbnail_url=output.thumbnail_url,
        optimized_url=copies.get("web", output.url),
        media_type=media_type(output.media_type),
        mime_type=output.media_type,
        bytes=output.bytes,
        dimensions=Dimensions(output.width or 0, output.height or 0) if has_sides else None,
        duration_seconds=output.duration_seconds,
    )


def media_type(mime_type: str) -> MediaType:
    """Return what a file is, in the word of these tools."""
    kinds: dict[str, MediaType] = {"image": "image", "video": "video", "audio": "audio"}
    return kinds.get(mime_type.partition("/")[0], "3d")


def failure_sentence(shown: GenerationStatus) -> str:
    """Return what an agent should know of a generation that failed."""
    code, message = (shown.error.code, shown.error.message) if shown.error else ("failed", "It has no result.")
    return f"The generation {shown.generation_id} failed ({code}): {message}"


def model_choice(spec: ModelSpec, *, available: bool, default: bool, settings: Settings) -> ModelChoice:
    """Return a model as the list shows it."""
    types = generation_types(spec)
    takes_sources = any(input_counts(spec, name).max for name in types)
    inputs: list[MediaType] = ["audio" if spec.modality == "speech" else "image"] if takes_sources else []
    return ModelChoice(
        id=spec.id,
        title=spec.title,
        available=available,
        default=default,
        generation_types=types,
        input_media_types=inputs,
        required_inputs={name: input_counts(spec, name) for name in types},
        costs=ModelCosts(
            credits=in_credits(spec.price_usd, settings),
            credits_per_second=in_credits(spec.rates.per_second, settings),
            usd=spec.price_usd,
        ),
        estimated_time_seconds=spec.estimated_seconds,
        capabilities=ModelAbilities(
            negative_prompt="negative-prompt" in spec.capabilities,
            sound=False,
            qualities=list(spec.quality),
            max_prompt_chars=spec.limits.max_prompt_chars,
            max_duration_seconds=spec.limits.max_seconds if spec.modality == "video" else None,
            languages=list(spec.languages),
        ),
    )


def in_credits(dollars: float, settings: Settings) -> float:
    """Return a price in credits."""
    return round(dollars / settings.credit_usd, 6)


def poll_after(seconds: float | None) -> int:
    """Return the seconds until the next look at a generation that ends in so many, as far as that is known."""
    least, most = POLL_SECONDS
    return most if seconds is None else min(max(round(seconds / 2), least), most)


def _size(spec: ModelSpec, aspect_ratio: str) -> tuple[int, int]:
    """Return width and height in this ratio, with as many pixels as the model's usual size, within its limits."""
    (least, most), step = SIDES[spec.modality]
    across, along = parse_pair(aspect_ratio, ":")
    scale = (spec.defaults.width * spec.defaults.height / (across * along)) ** 0.5
    longest = min(most, spec.limits.max_side)
    return fit_sides(across * scale, along * scale, (max(least, min(spec.limits.min_side, longest)), longest), step)
