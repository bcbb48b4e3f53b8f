"""The calls of ImagePipeline that make a job: path, body, translation, and what each needs of the served models."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from api.dialects.imagepipeline import schema, translate
from api.dialects.imagepipeline.translate import Translation
from jobs.params.registry import Modality
from pipelines.catalog.spec import Capability, ModelSpec


class Need(msgspec.Struct, frozen=True):
    """What the models must have for a call: one of `modality` with any of the capabilities, and one of modality `also`.

    `words` say it to callers.
    """

    words: str
    modality: Modality = "image"
    capabilities: tuple[Capability, ...] = ()
    also: Modality | None = None

    def is_met(self, specs: Collection[ModelSpec]) -> bool:
        """Return whether these models have it."""
        return any(
            spec.modality == self.modality and (not self.capabilities or {*self.capabilities} & {*spec.capabilities})
            for spec in specs
        ) and (self.also is None or any(spec.modality == self.also for spec in specs))


class Operation(msgspec.Struct, frozen=True):
    """One call. `names` are those of its fields by the native ones, where they differ; `example` is a body."""

    endpoint: str
    summary: str
    needs: Need
    body: type[Any]
    translate: Callable[[Any], Translation]
    names: Mapping[str, str] = {}
    example: Mapping[str, Any] | None = None


IMAGES = Need("image generation", capabilities=("text-to-image",))
SUBJECTS = Need("image generation and background removal", capabilities=("text-to-image",), also="remove-background")
REFERENCES = Need("image editing with reference images", capabilities=("references",))
EDITS = Need(REFERENCES.words, capabilities=("references", "image-to-image"))
PERSON = {"reference_images[0]": "input_image", "reference_images": "input_image"}
CHAIR, ANNA = "https://shop.example/chair.jpg", "https://shop.example/anna.jpg"
GROUP = "https://shop.example/group.jpg"
IN_VELVET = {"input_image": CHAIR, "prompt": "the same chair in green velvet"}
AT_SEA = {"input_image": ANNA, "prompt": "the person on a beach at sunset"}
SEGMENTATION = Operation(
    "segment/image/v1",
    "Find the parts of an image",
    Need("segmentation", "segment"),
    schema.SegmentImage,
    translate.segment_image,
    {"input_image": "image_url"},
    {"image_url": CHAIR},
)
"""The one call whose answer is what the job found (`segments.py`)."""

OPERATIONS = (
    Operation("generate/image/v1", "Make an image from a prompt", IMAGES, schema.ImagePipelineImage, translate.plain),
    Operation(
        "generate/video/v1",
        "Make a video from an image",
        Need("video generation", "video", ("image-to-video",)),
        schema.ImagePipelineVideo,
        translate.plain,
    ),
    Operation(
        "generate/speech/v1", "Speak a text", Need("speech", "speech"), schema.ImagePipelineSpeech, translate.plain
    ),
    Operation(
        "generate/3d/v1",
        "Make a mesh from an image",
        Need("3D generation", "3d"),
        schema.ImagePipelineMesh,
        translate.plain,
    ),
    Operation(
        "edit/image/v1",
        "Change an image as a prompt says",
        EDITS,
        schema.EditImage,
        translate.edit_image,
        {"reference_images": "input_image", "subject_image": "input_image"},
        IN_VELVET,
    ),
    Operation(
        "background/change/image/v1",
        "Put the subject of an image over another background",
        SUBJECTS,
        schema.ChangeBackground,
        translate.change_background,
        {
            "subject_image": "input_image",
            "reference_images[0]": "input_image",
            "reference_images": "input_image",
            "guidance_scale": "true_cfg_scale",
        },
    ),
    Operation(
        "background/remove/image/v1",
        "Remove the background of an image",
        Need("background removal", "remove-background"),
        schema.RemoveBackground,
        translate.remove_background,
        {"image_url": "input_image", "background_color": "recolor"},
    ),
    Operation(
        "branding/logo/image/v1",
        "Stamp a logo on an image",
        Need("branding", "branding"),
        schema.BrandLogo,
        translate.brand_logo,
        {"logo_position": "position"},
    ),
    Operation(
        "branding/template/image/v1",
        "Put the subject of an image over a background in its colors",
        SUBJECTS,
        schema.BrandTemplate,
        translate.brand_template,
        {"subject_image": "input_image", "prompt": "background_prompt", "logo_position": "position"},
    ),
    Operation(
        "identity/lock/image/v1",
        "Make an image of the person in a picture",
        REFERENCES,
        schema.PersonPrompt,
        translate.person_prompt,
        PERSON,
        AT_SEA,
    ),
    Operation(
        "identity/replace/image/v1",
        "Make an image with the person in a picture",
        REFERENCES,
        schema.PersonPrompt,
        translate.person_prompt,
        PERSON,
        AT_SEA,
    ),
    Operation(
        "creator/instamodel/image/v1",
        "Make an image of a person with a face",
        REFERENCES,
        schema.InstaModel,
        translate.instamodel,
        {"reference_images[0]": "input_face", "reference_images": "input_face"},
    ),
    Operation(
        "creator/tryon/image/v1",
        "Dress a person in the clothing of another picture",
        REFERENCES,
        schema.TryOn,
        translate.try_on,
        {
            "reference_images[0]": "person_image",
            "reference_images[1]": "clothing_image",
            "reference_images": "clothing_image",
        },
    ),
    Operation(
        "identity/voice/clone/v1",
        "Speak a text in the voice of a recording",
        Need("voice cloning", "speech", ("reference-voice",)),
        schema.VoiceClone,
        translate.voice_clone,
        {"target_voice_path": "reference_voice_url"},
    ),
    Operation(
        "upscale/image/v1",
        "Enlarge an image",
        Need("upscaling", "upscale"),
        schema.UpscaleImage,
        translate.upscale_image,
    ),
    SEGMENTATION,
    Operation(
        "identity/faceswap/image/v1",
        "Put a face into another image",
        REFERENCES,
        schema.FaceSwap,
        translate.face_swap,
        {"reference_images[0]": "target", "reference_images[1]": "source", "reference_images": "source"},
        {"source": ANNA, "target": GROUP},
    ),
)
