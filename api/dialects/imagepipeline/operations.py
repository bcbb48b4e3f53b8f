"""The calls of ImagePipeline that make a job: path, body, translation, and what each needs of the served models."""

from collections.abc import Callable
from typing import Any

import msgspec

from api.dialects.imagepipeline import schema, translate
from api.dialects.imagepipeline.translate import Translation
from pipelines.catalog.spec import Capability

REFERENCES = "image editing with reference images"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `modality` and `capability` say what a model must have; `needs` says it in words.

    One without a translation is a call that no model of the catalog can do.
    """

    endpoint: str
    body: type[Any] = schema.AnyBody
    translate: Callable[[Any], Translation] | None = None
    needs: str
    modality: str = "image"
    capability: Capability | None = None


OPERATIONS = (
    Operation(
        endpoint="generate/image/v1",
        body=schema.ImagePipelineImage,
        translate=translate.generate_image,
        needs="image generation",
        capability="text-to-image",
    ),
    Operation(
        endpoint="generate/video/v1",
        body=schema.ImagePipelineVideo,
        translate=translate.plain,
        needs="video generation",
        modality="video",
        capability="image-to-video",
    ),
    Operation(
        endpoint="generate/speech/v1",
        body=schema.ImagePipelineSpeech,
        translate=translate.plain,
        needs="speech",
        modality="speech",
    ),
    Operation(
        endpoint="generate/3d/v1",
        body=schema.ImagePipelineMesh,
        translate=translate.plain,
        needs="3D generation",
        modality="3d",
    ),
    Operation(
        endpoint="edit/image/v1",
        body=schema.EditImage,
        translate=translate.edit_image,
        needs=REFERENCES,
        capability="references",
    ),
    Operation(
        endpoint="background/change/image/v1",
        body=schema.ChangeBackground,
        translate=translate.change_background,
        needs="image generation and background removal",
        capability="text-to-image",
    ),
    Operation(
        endpoint="background/remove/image/v1",
        body=schema.RemoveBackground,
        translate=translate.remove_background,
        needs="background removal",
        modality="remove-background",
    ),
    Operation(
        endpoint="branding/logo/image/v1",
        body=schema.BrandLogo,
        translate=translate.brand_logo,
        needs="branding",
        modality="branding",
    ),
    Operation(
        endpoint="branding/template/image/v1",
        body=schema.BrandTemplate,
        translate=translate.brand_template,
        needs="image generation and background removal",
        capability="text-to-image",
    ),
    Operation(
        endpoint="identity/lock/image/v1",
        body=schema.PersonPrompt,
        translate=translate.person_prompt,
        needs=REFERENCES,
        capability="references",
    ),
    Operation(
        endpoint="identity/replace/image/v1",
        body=schema.PersonPrompt,
        translate=translate.person_prompt,
        needs=REFERENCES,
        capability="references",
    ),
    Operation(
        endpoint="creator/instamodel/image/v1",
        body=schema.InstaModel,
        translate=translate.instamodel,
        needs=REFERENCES,
        capability="references",
    ),
    Operation(
        endpoint="creator/tryon/image/v1",
        body=schema.TryOn,
        translate=translate.try_on,
        needs=REFERENCES,
        capability="references",
    ),
    Operation(
        endpoint="identity/voice/clone/v1",
        body=schema.VoiceClone,
        translate=translate.voice_clone,
        needs="voice cloning",
        modality="speech",
        capability="reference-voice",
    ),
    Operation(endpoint="upscale/image/v1", needs="upscaling"),
    Operation(endpoint="segment/image/v1", needs="segmentation"),
    Operation(endpoint="identity/faceswap/image/v1", needs="face swapping"),
)
