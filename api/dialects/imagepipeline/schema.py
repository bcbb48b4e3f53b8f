"""Bodies of ImagePipeline's routes. Fields that are not here are ignored: its documents and its client differ in them.

The four generate routes have the native fields; the others have names and defaults of their own. `media` names the
fields that take pictures and recordings, so that long `data:` URLs stay out of memory.
"""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from jobs.params.base import Corner, OutputFormat, Palette, Prompt, Seed, Url
from jobs.params.image import ImageParams
from jobs.params.media import MediaKind, Source
from jobs.params.mesh import MeshParams
from jobs.params.speech import SpeechParams, Text
from jobs.params.video import VideoParams

LONGEST_SIDE = 2048
"""The longest side that the client's documents allow; what the models here make is smaller, and a warning says so."""
Side = Annotated[int, Meta(ge=64, le=LONGEST_SIDE)]
Steps = Annotated[int, Meta(ge=1, le=100)]
Guidance = Annotated[float, Meta(ge=0, le=20)]
Share = Annotated[float, Meta(ge=0, le=1)]
Offset = Annotated[float, Meta(ge=-0.5, le=0.5)]
Negative = Annotated[str, Meta(max_length=4000)]
AnyHex = Annotated[str, Meta(pattern=r"^#?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})(?!\n)$")]
Name = Annotated[str, Meta(max_length=200)]


class ImagePipelineImage(ImageParams, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """POST /generate/image/v1."""


class ImagePipelineVideo(VideoParams, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """POST /generate/video/v1."""


class ImagePipelineSpeech(SpeechParams, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """POST /generate/speech/v1."""


class ImagePipelineMesh(MeshParams, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """POST /generate/3d/v1."""


class ImagePipelineBody(msgspec.Struct, frozen=True, kw_only=True):
    """What every other route takes."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image"}

    callback_url: Url | None = None
    server_id: Name | None = None


class EditImage(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /edit/image/v1."""

    prompt: Prompt
    input_image: Source | tuple[Source, ...] | None = None
    mode: Name | None = None
    width: Side | None = None
    height: Side | None = None
    seed: Seed = -1
    output_format: OutputFormat = "webp"
    num_inference_steps: Steps | None = None
    guidance_scale: Guidance | None = None
    faster_inference: bool = True
    palette: Palette = ()
    negative_prompt: Negative | None = None
    profile_id: Name | None = None
    refine_strength: Share | None = None
    cfg_norm_strength: Share | None = None
    product_saturation: Annotated[float, Meta(ge=0, le=2)] | None = None
    mask_segment: Name | None = None
    mask_feather_px: Annotated[float, Meta(ge=0, le=64)] | None = None
    tone_correction: float | bool | None = None


class ChangeBackground(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /background/change/image/v1."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image"}

    input_image: Source
    prompt: Prompt
    palette: Palette = ()
    num_inference_steps: Steps | None = None
    true_cfg_scale: Guidance | None = None
    faster_inference: bool | None = None
    seed: Seed = -1
    output_format: OutputFormat = "webp"
    use_segmentation: bool = True
    tone_correction: float | bool | None = None
    harmonize_strength: Share | None = None


class RemoveBackground(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /background/remove/image/v1."""

    input_image: Source
    recolor: AnyHex | None = None
    drop_shadow: bool = False
    shadow_opacity: Share = 0.38
    shadow_blur: Annotated[float, Meta(ge=0, le=0.2)] = 0.018
    shadow_dy: Offset = 0.022
    shadow_dx: Offset = 0.004
    output_format: OutputFormat = "png"


class UpscaleImage(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /upscale/image/v1."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image"}

    input_image: Source
    scale: Annotated[float, Meta(ge=1, le=4)] = 4
    output_format: OutputFormat = "webp"


class SegmentImage(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /segment/image/v1."""

    media: ClassVar[dict[str, MediaKind]] = {"image_url": "image"}

    image_url: Source


class BrandLogo(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /branding/logo/image/v1."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image", "logo_url": "image"}

    input_image: Source
    logo_url: Source
    position: Corner = "bottom_right"
    output_format: OutputFormat = "webp"


class BrandTemplate(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /branding/template/image/v1."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image", "logo_url": "image"}

    input_image: Source
    background_prompt: Prompt = "clean professional studio background"
    palette_mode: Literal["similar", "complementary", "radical"] = "similar"
    logo_url: Source | None = None
    position: Corner = "bottom_right"
    output_format: OutputFormat = "webp"
    seed: Seed = -1


class PersonPrompt(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /identity/lock/image/v1 and /identity/replace/image/v1."""

    prompt: Prompt
    input_image: Source | None = None
    width: Side = 1024
    height: Side = 1024
    seed: Seed = -1
    output_format: OutputFormat = "webp"
    negative_prompt: Negative | None = None
    num_inference_steps: Steps | None = None
    guidance_scale: Guidance | None = None
    profile_id: Name | None = None


class InstaModel(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /creator/instamodel/image/v1."""

    media: ClassVar[dict[str, MediaKind]] = {"input_face": "image"}

    input_face: Source
    prompt: Prompt
    width: Side = 768
    height: Side = 1024
    seed: Seed = -1
    output_format: OutputFormat = "webp"
    negative_prompt: Negative | None = None
    profile_id: Name | None = None


class TryOn(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /creator/tryon/image/v1."""

    media: ClassVar[dict[str, MediaKind]] = {"person_image": "image", "clothing_image": "image"}

    person_image: Source
    clothing_image: Source
    gender: Literal["woman", "man"] = "woman"
    width: Side = 832
    height: Side = 1248
    seed: Seed = -1
    output_format: OutputFormat = "webp"
    profile_id: Name | None = None


class FaceSwap(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /identity/faceswap/image/v1."""

    media: ClassVar[dict[str, MediaKind]] = {"source": "image", "target": "image"}

    source: Source
    target: Source
    upscale: Annotated[float, Meta(ge=1, le=4)] = 1.5
    restore_weight: Share = 0.5
    profile_id: Name | None = None


class VoiceClone(ImagePipelineBody, frozen=True, kw_only=True):
    """POST /identity/voice/clone/v1."""

    media: ClassVar[dict[str, MediaKind]] = {"reference_voice_url": "audio"}

    text: Text
    reference_voice_url: Source
    language_id: Annotated[str, Meta(min_length=2, max_length=20)] = "en"
    max_new_tokens: Annotated[int, Meta(ge=1, le=4096)] = 256
    exaggeration: Share = 0.5
    apply_watermark: bool = True
