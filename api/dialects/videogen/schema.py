"""The bodies of VideoGen's tools. Fields that are not here are ignored: its clients send whatever they are given."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

WatermarkMode = Literal["AUTO", "VIDEO_GEN", "NONE"]
ToolQuality = Literal["LOW", "STANDARD", "HIGH", "MAX"]
FileId = Annotated[str, Meta(min_length=1, max_length=200)]
FewFiles = Annotated[tuple[FileId, ...], Meta(max_length=4)]
Share = Annotated[int, Meta(ge=1, le=10_000)]


class AspectRatio(msgspec.Struct, frozen=True):
    """A ratio of sides; they are not pixels."""

    width: Share
    height: Share


class ToolBody(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The fields of every tool."""

    num_results: Annotated[int, Meta(ge=1, le=100)] = 1
    is_output_temporary: bool | None = False


class VisualBody(ToolBody, frozen=True, rename="camel", kw_only=True):
    """The fields of every tool that makes pictures or films."""

    watermark_mode: WatermarkMode | None = "AUTO"


class GenerateImage(VisualBody, frozen=True, rename="camel", kw_only=True):
    """The body of generate-image."""

    prompt: str
    image_file_ids: FewFiles | None = ()
    entity_ids: FewFiles | None = ()
    aspect_ratio: AspectRatio | None = None
    quality: ToolQuality | None = "STANDARD"


class GenerateVideoClip(VisualBody, frozen=True, rename="camel", kw_only=True):
    """The body of generate-video-clip; one of the fields before `durationSeconds` is required."""

    prompt: str | None = None
    start_frame_file_id: FileId | None = None
    image_file_ids: FewFiles | None = ()
    video_file_ids: FewFiles | None = ()
    audio_file_ids: FewFiles | None = ()
    spoken_dialogue: str | None = None
    duration_seconds: Annotated[int, Meta(ge=1, le=30)] | None = None
    aspect_ratio: AspectRatio | None = None
    quality: ToolQuality | None = "STANDARD"
    generate_audio: bool | None = False


class Replacement(msgspec.Struct, frozen=True):
    """A word, and how it is to be spoken."""

    original: Annotated[str, Meta(min_length=1, max_length=200)]
    replacement: Annotated[str, Meta(max_length=200)]


class TextToSpeech(ToolBody, frozen=True, rename="camel", kw_only=True):
    """The body of text-to-speech; `voiceId` is an id or a display name."""

    tts_text: str
    voice_id: Annotated[str, Meta(min_length=1, max_length=200)]
    speech_language_code: str | None = None
    pronunciation_replacements: Annotated[tuple[Replacement, ...], Meta(max_length=100)] | None = ()
    voice_speed: Annotated[float, Meta(ge=0.5, le=2)] | None = 1.0


class GenerateSoundEffect(ToolBody, frozen=True, rename="camel", kw_only=True):
    """The body of generate-sound-effect."""

    prompt: str
    duration_seconds: Annotated[float, Meta(ge=1, le=30)] | None = None
    prompt_influence: Annotated[float, Meta(ge=0, le=1)] | None = None


class GenerateMusic(ToolBody, frozen=True, rename="camel", kw_only=True):
    """The body of generate-music."""

    prompt: str


class PictureTool(VisualBody, frozen=True, rename="camel", kw_only=True):
    """The body of a tool that changes one picture."""

    image_file_id: FileId


class FilmTool(VisualBody, frozen=True, rename="camel", kw_only=True):
    """The body of a tool that changes one film."""

    video_file_id: FileId


class GenerateAvatar(VisualBody, frozen=True, rename="camel", kw_only=True):
    """The body of generate-avatar: an actor, whom clients of version 1 call a presenter, and what it says."""

    audio_file_id: FileId
    actor_entity_id: FileId | None = None
    avatar_presenter_id: FileId | None = None


class ToolAccepted(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to every tool: poll the execution until it has ended."""

    tool_execution_id: str
