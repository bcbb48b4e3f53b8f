"""From the bodies of VideoGen's tools to the parameters of jobs."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from api.dialects.videogen.ids import to_native
from api.dialects.videogen.schema import (
    FilmTool,
    GenerateAvatar,
    GenerateImage,
    GenerateMusic,
    GenerateSoundEffect,
    GenerateVideoClip,
    PictureTool,
    TextToSpeech,
    ToolBody,
    ToolQuality,
    VisualBody,
    WatermarkMode,
)
from api.dialects.videogen.sizes import IMAGE_SIDES, VIDEO_SIDES, size_of
from api.http.msgspec_errors import refusal
from api.operations.entities import EntityReference
from core.errors.fields import MissingField, NotThisModel, OutOfRange
from jobs.params.base import Params
from jobs.params.cutout import CutoutParams
from jobs.params.image import MAX_IMAGES, ImageParams
from jobs.params.registry import AnyParams
from jobs.params.sound import MusicParams, SoundParams
from jobs.params.speech import LONGEST_TEXT, SpeechParams, tokens_for
from jobs.params.upscale import UpscaleParams
from jobs.params.vectorize import VectorizeParams
from jobs.params.video import AvatarParams, VideoParams

P = TypeVar("P", bound=Params)

QUALITY: Mapping[ToolQuality, str] = {"LOW": "fast", "STANDARD": "standard", "HIGH": "pro", "MAX": "ultra"}
MARKS: Mapping[WatermarkMode, str] = {"AUTO": "auto", "VIDEO_GEN": "always", "NONE": "never"}
USUAL_SOUND_SECONDS = 10.0
"""Of a sound effect whose body does not say how long it is."""
LEAST_GUIDANCE, MOST_GUIDANCE = 1.0, 7.0
"""The guidance scales of no `promptInfluence` and of all of it; the middle is what models of sounds use."""
OTHER_MEDIA = ("video_file_ids", "audio_file_ids", "spoken_dialogue")
"""Fields of a clip that no model of the catalog can use, with the name of each on the wire."""


def image_params(body: GenerateImage, references: Sequence[str] = (), style: str = "") -> ImageParams:
    """Return the parameters of generate-image; `references` and `style` are those of its entities.

    The first picture is the one to start from, which a model that edits takes as its first reference.
    """
    pictures = [*(to_native("vg_file", one) for one in body.image_file_ids or ()), *references]
    width, height = size_of(body.aspect_ratio, IMAGE_SIDES)
    return _made(
        ImageParams,
        prompt=body.prompt + style,
        quality=QUALITY[body.quality or "STANDARD"],
        input_image=pictures[0] if pictures else None,
        reference_images=pictures[1:],
        width=width,
        height=height,
        output_format="png",
        **_common(body),
    )


def picture_of(references: Sequence[EntityReference]) -> str | None:
    """Return the picture that stands for an entity: the default one, else the first."""
    return next((one.media_id for one in references if one.is_default), references[0].media_id if references else None)


def described(name: str, description: str) -> str:
    """Return what is added to a prompt for an entity."""
    return f" {name}: {description}." if description else f" {name}."


def clip_params(body: GenerateVideoClip) -> VideoParams:
    """Return the parameters of generate-video-clip. Raises `MissingField` and `NotThisModel`."""
    for name in OTHER_MEDIA:
        if getattr(body, name):
            shown = body.__struct_encode_fields__[body.__struct_fields__.index(name)]
            raise NotThisModel(f"No model here can use `{shown}`; leave it out.", field=f"$.{shown}")
    start, pictures = body.start_frame_file_id, body.image_file_ids or ()
    if start is None and len(pictures) == 1:
        start, pictures = pictures[0], ()  # which any model can begin with
    if start is None and not pictures and not body.prompt:
        raise MissingField("`prompt` or `startFrameFileId` is required; add one of them.", field="$.prompt")
    width, height = size_of(body.aspect_ratio, VIDEO_SIDES)
    references = [to_native("vg_file", one) for one in pictures]
    more = {
        "reference_images": references,
        "sound": bool(body.generate_audio),
        **_duration(body.duration_seconds),
    }
    return _clip(body, start, body.prompt, width=width, height=height, **more)


def parallax_params(body: PictureTool) -> VideoParams:
    """Return the parameters of image-3d-effect: an orbit of the camera around the picture."""
    width, height = size_of(None, VIDEO_SIDES)
    return _clip(body, body.image_file_id, "slow orbit", width=width, height=height)


def cutout_params(body: PictureTool) -> CutoutParams:
    """Return the parameters of remove-image-background."""
    return _made(CutoutParams, image_url=to_native("vg_file", body.image_file_id), **_common(body))


def film_cutout_params(body: FilmTool) -> CutoutParams:
    """Return the parameters of remove-video-background: a WebM with transparency."""
    film = to_native("vg_file", body.video_file_id)
    return _made(CutoutParams, input_video=film, output_format="webm", **_common(body))


def vectorize_params(body: PictureTool) -> VectorizeParams:
    """Return the parameters of vectorize-image."""
    return _made(VectorizeParams, input_image=to_native("vg_file", body.image_file_id), **_common(body))


def upscale_image_params(body: PictureTool) -> UpscaleParams:
    """Return the parameters of upscale-image: a PNG, four times as large."""
    picture = to_native("vg_file", body.image_file_id)
    return _made(UpscaleParams, input_image=picture, output_format="png", **_common(body))


def upscale_video_params(body: FilmTool) -> UpscaleParams:
    """Return the parameters of upscale-video: an MP4, twice as large, since four times of 1080p is too much."""
    film = to_native("vg_file", body.video_file_id)
    return _made(UpscaleParams, input_video=film, scale=2, output_format="mp4", **_common(body))


def actor_of(body: GenerateAvatar) -> str:
    """Return the entity that speaks. Raises `MissingField`, and `MalformedId`."""
    if body.actor_entity_id is not None:
        return to_native("vg_enti", body.actor_entity_id)
    if body.avatar_presenter_id is not None:
        return to_native("vg_pres", body.avatar_presenter_id)
    raise MissingField("`actorEntityId` is required; add the id of an actor.", field="$.actorEntityId")


def avatar_params(body: GenerateAvatar, picture: str | None) -> AvatarParams:
    """Return the parameters of generate-avatar; `picture` is its actor's. Raises `MissingField` without one."""
    if picture is None:
        advice = "This actor has no picture; add one as a reference of the entity."
        raise MissingField(advice, field="$.actorEntityId")
    voice = to_native("vg_file", body.audio_file_id)
    return _made(AvatarParams, input_image=picture, input_audio=voice, **_common(body))


def speech_params(body: TextToSpeech, voice: Mapping[str, Any]) -> SpeechParams:
    """Return the parameters of text-to-speech; `voice` has those that choose the voice."""
    text = body.tts_text
    for one in body.pronunciation_replacements or ():
        text = text.replace(one.original, one.replacement)
        if len(text) > LONGEST_TEXT:  # else each could multiply what the one before has made
            raise OutOfRange(
                f"`ttsText` must have at most {LONGEST_TEXT} characters, after its replacements.", field="$.ttsText"
            )
    return _made(
        SpeechParams,
        text=text,
        language_id=body.speech_language_code,
        speed=body.voice_speed,
        output_format="mp3",
        max_new_tokens=tokens_for(text),
        **_common(body),
        **voice,
    )


def sound_params(body: GenerateSoundEffect) -> SoundParams:
    """Return the parameters of generate-sound-effect."""
    influence = body.prompt_influence
    return _made(
        SoundParams,
        prompt=body.prompt,
        duration_seconds=body.duration_seconds or USUAL_SOUND_SECONDS,
        guidance_scale=None if influence is None else LEAST_GUIDANCE + influence * (MOST_GUIDANCE - LEAST_GUIDANCE),
        output_format="mp3",
        **_common(body),
    )


def music_params(body: GenerateMusic) -> MusicParams:
    """Return the parameters of generate-music: half a minute without a voice."""
    return _made(MusicParams, prompt=body.prompt, instrumental=True, output_format="mp3", **_common(body))


def spread(params: AnyParams, results: int) -> list[AnyParams]:
    """Return the parameters of the jobs that make so many results: images of one job where they fit."""
    if not isinstance(params, ImageParams):
        return [params] * results
    sizes = [min(MAX_IMAGES, results - done) for done in range(0, results, MAX_IMAGES)]
    return [msgspec.structs.replace(params, num_images=size) for size in sizes]


def _clip(body: VisualBody, start: str | None, prompt: str | None, **fields: Any) -> VideoParams:
    words = {} if prompt is None else {"prompt": prompt}
    picture = None if start is None else to_native("vg_file", start)
    quality = QUALITY[getattr(body, "quality", None) or "STANDARD"]
    return _made(VideoParams, input_image=picture, quality=quality, seed=-1, **words, **fields, **_common(body))


def _duration(seconds: int | None) -> dict[str, float]:
    return {} if seconds is None else {"duration_seconds": float(seconds)}


def _common(body: ToolBody) -> dict[str, Any]:
    """Return the fields that the jobs of every tool have."""
    return {"watermark": MARKS[body.watermark_mode or "AUTO"]} if isinstance(body, VisualBody) else {}


def _made(type_: type[P], **fields: Any) -> P:
    """Return checked parameters. Raises `InvalidRequest` with the native path of the first field at fault."""
    try:
        return msgspec.convert({name: value for name, value in fields.items() if value is not None}, type_)
    except msgspec.ValidationError as error:
        raise refusal(error, type_) from None
