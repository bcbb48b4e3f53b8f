"""Tool calls as parameters of jobs, and jobs and models as answers of the tools."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from api.dialects.mcp.schema import (
    Dimensions,
    GenerateMedia,
    GenerationEstimate,
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
from core.errors.fields import InvalidRequest, MissingField, NotThisModel
from core.settings import Settings
from jobs.job import Job
from jobs.params.cutout import CutoutParams
from jobs.params.mesh import MeshParams
from jobs.params.registry import AnyParams, Modality
from jobs.params.sound import MusicParams, SoundParams
from jobs.params.speech import SpeechParams, tokens_for
from jobs.wire.estimates.estimate import EstimateAnswer, SecondsRange
from jobs.wire.status import OutputAnswer, StatusAnswer
from pipelines.catalog import limits
from pipelines.catalog.media_request import MediaRequest, choose_type, parse_seconds, plan_request, split_sources
from pipelines.catalog.requirements import input_counts
from pipelines.catalog.spec import ModelSpec

NAME = "mcp"
"""The dialect of the origin of its jobs."""
MODALITY_OF: dict[GenerationType, Modality] = {
    "text-to-image": "image",
    "image-to-image": "image",
    "text-to-video": "video",
    "image-to-video": "video",
    "text-to-speech": "speech",
    "text-to-sound": "sound",
    "text-to-music": "music",
    "image-to-3d": "3d",
    "remove-background": "remove-background",
}
AUDIO = ("speech", "sound", "music")
"""Modalities of which a source is a voice, if it is anything."""
TIMED = ("video", "sound", "music")
"""Modalities of which a call says the duration."""
PLANNED = ("image", "video")
"""Modalities whose requests `pipelines.catalog.media_request` plans."""
WORDS = {
    "text": "prompt",
    "image_path": "source_media_urls[0]",
    "image_url": "source_media_urls[0]",
    "input_image": "source_media_urls[0]",
    "last_image": "source_media_urls[1]",
    "motion_video": "source_media_urls",
    "target_voice_path": "source_media_urls[0]",
    "reference_images": "source_media_urls",
    **{f"reference_images[{number}]": f"source_media_urls[{number + 1}]" for number in range(16)},
    "duration_seconds": "duration",
    "width": "aspect_ratio",
    "height": "aspect_ratio",
}
"""Names of arguments, by those of the parameters."""
POLL_SECONDS = 2, 30
"""Between two looks at a generation: at least, and at most."""


class PlannedCall(msgspec.Struct, frozen=True):
    """The job that a call asks for: its parameters, what it does, and sentences about what is done otherwise."""

    params: AnyParams
    generation_type: GenerationType
    warnings: tuple[str, ...] = ()


def sources_of(asked: GenerateMedia) -> list[str]:
    """Return the sources of a call, whether it says one or several."""
    given = asked.source_media_urls
    return [given] if isinstance(given, str) else given


def counts_of(spec: ModelSpec) -> dict[GenerationType, InputCounts]:
    """Return what a model can be asked to do, with the numbers of sources; nothing for one that is not offered."""
    if spec.modality in PLANNED:
        films = "motion-control" in spec.capabilities  # one beside the pictures
        needed = int(films and "image-to-video" not in spec.capabilities)
        return {
            name: InputCounts(least + needed, most + films) if name == "image-to-video" else InputCounts(least, most)
            for name, (least, most) in input_counts(spec).items()
        }
    voices = 1 if "reference-voice" in spec.capabilities else 0
    counts = InputCounts(0, voices) if spec.modality in AUDIO else InputCounts(1, 1)
    return {name: counts for name, modality in MODALITY_OF.items() if modality == spec.modality}


def planned_call(spec: ModelSpec, asked: GenerateMedia) -> PlannedCall:
    """Return the job of a call. Raises an `InvalidRequest` with the name of an argument."""
    sources = sources_of(asked)
    if spec.modality in PLANNED:
        asked_type = cast(limits.GenerationType | None, asked.generation_type)  # another one is refused there
        planned = plan_request(
            spec,
            MediaRequest(
                prompt=asked.prompt,
                generation_type=asked_type,
                source_media_urls=sources,
                negative_prompt=asked.negative_prompt,
                aspect_ratio=asked.aspect_ratio,
                resolution=asked.resolution,
                duration=asked.duration,
                quality=asked.quality,
                sound=asked.sound,
                seed=asked.seed,
                elements=asked.named_elements,
            ),
        )
        pictures, _ = split_sources(spec, sources)
        shots = ("`shots` was ignored: it makes pictures",) if asked.shots else ()
        lyrics = (f"`lyrics` was ignored: {spec.id} does not use it",) if asked.lyrics else ()
        return PlannedCall(
            planned.params, choose_type(spec, asked_type, len(pictures)), (*planned.warnings, *shots, *lyrics)
        )
    name = _only_type(spec, asked, len(sources))
    return PlannedCall(_other_params(spec, asked, sources), name, _ignored(spec, asked))


def _only_type(spec: ModelSpec, asked: GenerateMedia, sources: int) -> GenerationType:
    """Return what a model does that does one thing. Raises `NotThisModel`, `MissingField` or `InvalidRequest`."""
    offered = next(iter(counts_of(spec).items()), None)
    if offered is None:
        raise NotThisModel(f"{spec.id} is not offered here; choose a model of get_models.", field="$.model")
    name, counts = offered
    if asked.generation_type not in (None, name):
        raise NotThisModel(f"{spec.id} does {name} and nothing else.", field="$.generation_type")
    if not counts.min <= sources <= counts.max:
        error = MissingField if sources < counts.min else InvalidRequest
        takes = f"exactly {counts.min}" if counts.min == counts.max else f"at most {counts.max}"
        sentence = f"{name} with {spec.id} takes {takes} of `source_media_urls`, not {sources}; correct it."
        raise error(sentence, field="$.source_media_urls")
    return name


def _other_params(spec: ModelSpec, asked: GenerateMedia, sources: Sequence[str]) -> AnyParams:
    first = next(iter(sources), None)
    if spec.modality == "speech":
        return SpeechParams(
            text=asked.prompt,
            model=spec.id,
            target_voice_path=first,
            max_new_tokens=tokens_for(asked.prompt),
            output_format="mp3",
            seed=asked.seed,
        )
    seconds: dict[str, Any] = {} if asked.duration is None else {"duration_seconds": parse_seconds(asked.duration)}
    if spec.modality == "sound":
        return SoundParams(
            prompt=asked.prompt,
            negative_prompt=asked.negative_prompt,
            model=spec.id,
            output_format="mp3",
            seed=asked.seed,
            **seconds,
        )
    if spec.modality == "music":
        return MusicParams(
            prompt=asked.prompt, lyrics=asked.lyrics, model=spec.id, output_format="mp3", seed=asked.seed, **seconds
        )
    if spec.modality == "3d":
        return MeshParams(image_path=first or "", model=spec.id, seed=asked.seed)
    return CutoutParams(image_url=first or "", model=spec.id)


def _ignored(spec: ModelSpec, asked: GenerateMedia) -> tuple[str, ...]:
    """Return a sentence for each argument that a model of neither images nor videos does not use."""
    given = {
        "negative_prompt": asked.negative_prompt is not None and spec.modality != "sound",
        "duration": asked.duration is not None and spec.modality not in TIMED,
        "lyrics": asked.lyrics is not None and spec.modality != "music",
        "resolution": asked.resolution is not None,
        "sound": asked.sound,
        "shots": bool(asked.shots),
        "elements": bool(asked.named_elements),
    }
    return tuple(f"`{name}` was ignored: {spec.id} does not use it" for name, is_given in given.items() if is_given)


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


def generation_estimate(shown: EstimateAnswer, name: GenerationType) -> GenerationEstimate:
    """Return an estimate as the native route shows it; while no server may start the job, of its own time alone."""
    total = shown.total or SecondsRange(
        p50_seconds=shown.load.p50_seconds + shown.run.p50_seconds,
        p95_seconds=shown.load.p95_seconds + shown.run.p95_seconds,
    )
    return GenerationEstimate(
        model=shown.model,
        generation_type=name,
        estimated_time_seconds=round(total.p50_seconds, 3),
        p95_seconds=round(total.p95_seconds, 3),
        wait_seconds=None if shown.wait is None else shown.wait.p50_seconds,
        load_seconds=shown.load.p50_seconds,
        confidence=shown.confidence,
        sample_size=shown.sample_size,
        waiting_for=shown.waiting_for.message if shown.waiting_for else None,
        estimated_cost_credits=shown.credits,
    )


def model_choice(
    spec: ModelSpec, *, available: bool, default: bool, has_sound: bool, settings: Settings
) -> ModelChoice:
    """Return a model as the list shows it; `has_sound` where it makes videos with sound, of its own or apart."""
    counts, is_video, is_timed = counts_of(spec), spec.modality == "video", spec.modality in TIMED
    source: MediaType = "audio" if spec.modality in AUDIO else "image"
    films: list[MediaType] = ["video"] if "motion-control" in spec.capabilities else []
    return ModelChoice(
        id=spec.id,
        title=spec.title,
        available=available,
        default=default,
        generation_types=list(counts),
        input_media_types=[source, *films] if any(each.max for each in counts.values()) else [],
        required_inputs={str(name): each for name, each in counts.items()},
        costs=ModelCosts(
            credits=in_credits(spec.price_usd, settings),
            credits_per_second=in_credits(spec.rates.per_second, settings),
            usd=spec.price_usd,
            sound_credits_per_second=in_credits(spec.rates.sound_per_second, settings),
        ),
        estimated_time_seconds=spec.estimated_seconds,
        capabilities=ModelAbilities(
            negative_prompt="negative-prompt" in spec.capabilities,
            sound=has_sound,
            qualities=["standard", *(word for word in spec.quality if word != "standard")],
            max_prompt_chars=spec.limits.max_prompt_chars,
            durations=list(spec.limits.durations) if is_timed else [],
            min_duration_seconds=spec.limits.min_seconds if is_timed else None,
            max_duration_seconds=spec.limits.max_seconds if is_timed else None,
            languages=list(spec.languages),
            max_shots=spec.limits.max_shots if is_video else 0,
            elements="references" in spec.capabilities or (is_video and "image-to-video" in spec.capabilities),
            lyrics="lyrics" in spec.capabilities,
        ),
    )


def in_credits(dollars: float, settings: Settings) -> float:
    """Return a price in credits."""
    return round(dollars / settings.credit_usd, 6)


def poll_after(seconds: float | None) -> int:
    """Return the seconds until the next look at a generation that ends in so many, as far as that is known."""
    least, most = POLL_SECONDS
    return most if seconds is None else min(max(round(seconds / 2), least), most)
