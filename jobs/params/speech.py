"""Parameters of text to speech (contract C33-C40)."""

from typing import Annotated, ClassVar

from msgspec import Meta

from jobs.params.base import OutputFormat, Params
from jobs.params.media import MediaKind, Source

Text = Annotated[str, Meta(min_length=1, max_length=10000, description="The words to speak.")]


class SpeechParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="speech"):
    """Speech from text; `text` is required. 25 tokens are a second of audio."""

    media: ClassVar[dict[str, MediaKind]] = {"target_voice_path": "audio"}

    text: Text
    output_format: Annotated[OutputFormat, Meta(description="Taken, and of no use here.")] = "webp"
    language_id: Annotated[str, Meta(min_length=2, max_length=20, description="Language code, e.g. en.")] = "en"
    target_voice_path: Annotated[Source, Meta(description="A reference voice.")] | None = None
    max_new_tokens: Annotated[int, Meta(ge=1, le=4096, description="Upper bound of the audio.")] = 256
    exaggeration: Annotated[float, Meta(ge=0, le=1, description="0 neutral, 1 most expressive.")] = 0.5
    apply_watermark: bool = True
