"""WhaleTools' requests as parameters of jobs, and its ids."""

from api.dialects.voice_choice import ChosenVoice
from api.dialects.whaletools.schema import CompletionRequest, ImageRequest, VideoRequest, VoiceRequest
from api.dialects.whaletools.sizes import image_size, video_size
from core.ids import check_id
from jobs.params.image import ImageParams
from jobs.params.registry import Modality
from jobs.params.speech import SpeechParams, tokens_for
from jobs.params.text import TextParams
from jobs.params.video import VideoParams
from jobs.wire.dialects.whaletools import PREFIXES
from pipelines.catalog.media_request import QUALITIES

STYLES = {"natural": "", "vivid": "vivid colors, dramatic light"}
"""What a style of the documents adds to the prompt; any other is added as it is."""


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


def speech_params(asked: VoiceRequest, chosen: ChosenVoice, model: str | None) -> SpeechParams:
    """Return the parameters of a recording in the voice that was chosen."""
    return SpeechParams(
        text=asked.text,
        model=chosen.model or model,
        target_voice_path=chosen.stored,
        voice=chosen.voice,
        output_format=asked.output_format,
        language_id=asked.language,
        max_new_tokens=tokens_for(asked.text),
        seed=asked.seed,
        callback_url=asked.webhook_url,
    )


def text_params(asked: CompletionRequest, model: str | None) -> TextParams:
    """Return the parameters of a text."""
    return TextParams(
        prompt=asked.prompt,
        template=asked.template,
        variables=asked.variables,
        model=model,
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        output_format=asked.output_format,
        seed=asked.seed,
        callback_url=asked.webhook_url,
    )


def job_id(modality: Modality, generation: str) -> str:
    """Return the id of the job that is shown under this one. Raises `MalformedId`."""
    prefix = PREFIXES[modality]
    return f"job_{check_id(prefix, generation).removeprefix(f'{prefix}_')}"
