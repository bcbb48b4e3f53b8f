"""ImagePipeline's bodies as parameters of a job."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from api.dialects.imagepipeline.schema import (
    BrandLogo,
    BrandTemplate,
    ChangeBackground,
    EditImage,
    FaceSwap,
    ImagePipelineBody,
    InstaModel,
    PersonPrompt,
    RemoveBackground,
    SegmentImage,
    TryOn,
    UpscaleImage,
    VoiceClone,
)
from core.errors.fields import NoCapableModel, OutOfRange
from jobs.params.branding import BrandingParams
from jobs.params.cutout import CutoutParams, SegmentParams
from jobs.params.image import ImageParams
from jobs.params.registry import AnyParams
from jobs.params.speech import SpeechParams
from jobs.params.upscale import UpscaleParams
from pipelines.catalog.sizes import fit_sides

SHORTEST, LONGEST, MULTIPLE = 64, 1024, 8
"""The sides of an image for its clients, and what those that are made smaller are a multiple of."""
MOST_PICTURES = 16
"""Of `ImageParams.reference_images`."""
NO_EDITOR = "No model that is served edits images; the image was made from the picture as a start."
NO_EDITOR_OF_BACKGROUNDS = "No model that is served edits images; the subject was cut out, as with `use_segmentation`."
BACKGROUND = "background"
"""The part of a picture that can be edited alone: the subject is cut out of it, and put over what was made."""
OF_PARTS = "editing of one segment"
NO_PARTS = (
    "No model of this service edits the segment {name!r} alone; leave `mask_segment` out, send {background!r}, or send "
    "a mask to POST /generate/image/v1."
)
NO_PICTURE = "`mask_segment` needs `input_image`; it was ignored."
OTHER_FACE = (
    "Replace the face of the person in the first picture by the face of the person in the second picture; "
    "keep the hair, the expression, the pose, the clothing, the light and the background."
)
OTHER_BACKGROUND = "Change the background of the picture to {prompt}; keep the subject, its pose and its size."
SAME = (
    *("prompt", "text", "seed", "output_format", "num_inference_steps", "guidance_scale", "palette", "negative_prompt"),
    *("profile_id", "callback_url", "server_id", "logo_url", "palette_mode", "language_id", "max_new_tokens"),
    *("exaggeration", "apply_watermark"),
)
"""Fields that mean the same under the same name in bodies and in parameters."""
IGNORED = {
    EditImage: (
        *("refine_strength", "cfg_norm_strength", "product_saturation", "mask_feather_px"),
        "tone_correction",
    ),
    ChangeBackground: ("tone_correction", "harmonize_strength"),
    FaceSwap: ("upscale", "restore_weight"),
}
"""Fields that no served model has; one that has another value than its default is ignored, with a warning."""


class Translation(msgspec.Struct, frozen=True):
    """The parameters of a body, what was not passed on, and the defaults of the route that are not theirs.

    `otherwise` is what to submit where no served model can do the first.
    """

    params: AnyParams
    warnings: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}
    otherwise: "Translation | None" = None


def plain(body: AnyParams) -> Translation:
    """Return a body that has the native fields."""
    return Translation(body)


def edit_image(body: EditImage) -> Translation:
    """Return the parameters of an edit: the first picture is the one that is edited.

    Without a model that takes references, one that starts from an image makes it of a single picture. With the segment
    `BACKGROUND` the subject of the first picture is put over the image. Raises `NoCapableModel` for other segments.
    """
    pictures = _pictures(body.input_image)
    if len(pictures) > MOST_PICTURES:
        raise OutOfRange(f"`input_image` must have at most {MOST_PICTURES} pictures.", field="$.input_image")
    size, scaled = _size(body.width or LONGEST, body.height or LONGEST)
    fields = _same(body) | size | {"quality": "fast" if body.faster_inference else "standard"}
    if body.mode:
        fields["prompt"] = f"{body.prompt}, in {body.mode} style"
    warnings = (*scaled, *_ignored(body))
    if body.mask_segment is not None and not pictures:
        warnings = (*warnings, NO_PICTURE)
    elif body.mask_segment is not None:
        return _only_background(body.mask_segment, pictures, fields, warnings)
    otherwise = None
    if len(pictures) == 1:
        otherwise = Translation(ImageParams(**fields, input_image=pictures[0]), (*warnings, NO_EDITOR))
    return Translation(ImageParams(**fields, reference_images=pictures), warnings, otherwise=otherwise)


def change_background(body: ChangeBackground) -> Translation:
    """Return the parameters of a background, over which the subject of the picture is put.

    Without segmentation a model that takes references edits the picture, where one is served.
    """
    fields = _same(body) | {"guidance_scale": body.true_cfg_scale}
    fields["quality"] = "fast" if body.faster_inference else "standard"
    cut_out = ImageParams(**fields, subject_image=body.input_image)
    if body.use_segmentation:
        return Translation(cut_out, tuple(_ignored(body)))
    edited = fields | {"prompt": OTHER_BACKGROUND.format(prompt=body.prompt)}
    return Translation(
        ImageParams(**edited, reference_images=(body.input_image,)),
        tuple(_ignored(body)),
        otherwise=Translation(cut_out, (NO_EDITOR_OF_BACKGROUNDS, *_ignored(body))),
    )


def remove_background(body: RemoveBackground) -> Translation:
    """Return the parameters of a cut-out, which is kept beside the picture on a color."""
    if body.recolor is None:
        warnings = ("`drop_shadow` needs `recolor`; it was ignored.",) if body.drop_shadow else ()
        plain_cutout = CutoutParams(
            image_url=body.input_image, callback_url=body.callback_url, server_id=body.server_id
        )
        return Translation(plain_cutout, warnings)
    params = CutoutParams(
        **_same(body),
        image_url=body.input_image,
        background_color=_hex(body.recolor),
        keep_cutout=True,
        drop_shadow=body.drop_shadow,
        shadow_opacity=body.shadow_opacity,
        shadow_blur=body.shadow_blur,
        shadow_dy=body.shadow_dy,
        shadow_dx=body.shadow_dx,
    )
    return Translation(params)


def upscale_image(body: UpscaleImage) -> Translation:
    """Return the parameters of a larger picture, by the next scale that is made."""
    scale = 2 if body.scale <= 2 else 4
    warnings = () if scale == body.scale else (f"Pictures become 2 or 4 times as large; this one {scale} times.",)
    return Translation(UpscaleParams(**_same(body), input_image=body.input_image, scale=scale), warnings)


def segment_image(body: SegmentImage) -> Translation:
    """Return the parameters of segments."""
    return Translation(SegmentParams(**_same(body), input_image=body.image_url))


def brand_logo(body: BrandLogo) -> Translation:
    """Return the parameters of a logo on a picture."""
    return Translation(BrandingParams(**_same(body), input_image=body.input_image, logo_position=body.position))


def brand_template(body: BrandTemplate) -> Translation:
    """Return the parameters of a background in the colors of the picture's subject, with a logo where there is one."""
    params = ImageParams(
        **_same(body),
        prompt=body.background_prompt,
        subject_image=body.input_image,
        logo_position=body.position if body.logo_url else "bottom_right",
    )
    return Translation(params)


def person_prompt(body: PersonPrompt) -> Translation:
    """Return the parameters of an image of the person in a picture."""
    return _with_references(body, (body.input_image,) if body.input_image else ())


def instamodel(body: InstaModel) -> Translation:
    """Return the parameters of an image of the person with a face."""
    return _with_references(body, (body.input_face,), width=768, height=1024)


def try_on(body: TryOn) -> Translation:
    """Return the parameters of an image of a person in other clothes."""
    prompt = (
        f"Dress the {body.gender} of the first picture in the clothing of the second picture; "
        "keep the face, the pose, the body and the background."
    )
    return _with_references(body, (body.person_image, body.clothing_image), width=832, height=1248, prompt=prompt)


def face_swap(body: FaceSwap) -> Translation:
    """Return the parameters of the picture `target` with the face of `source`."""
    fields = _same(body) | {"prompt": OTHER_FACE}
    return Translation(ImageParams(**fields, reference_images=(body.target, body.source)), tuple(_ignored(body)))


def voice_clone(body: VoiceClone) -> Translation:
    """Return the parameters of speech in the voice of a recording."""
    return Translation(SpeechParams(**_same(body), target_voice_path=body.reference_voice_url))


def _same(body: ImagePipelineBody) -> dict[str, Any]:
    """Return the fields of `SAME` that a body has."""
    return {name: getattr(body, name) for name in SAME if name in body.__struct_fields__}


def _with_references(
    body: PersonPrompt | InstaModel | TryOn,
    references: tuple[str, ...],
    *,
    width: int = LONGEST,
    height: int = LONGEST,
    **fields: str,
) -> Translation:
    """Return the parameters of an image with references; `width` and `height` are the defaults of the route."""
    usual, _ = _size(width, height)
    made, scaled = _size(body.width, body.height)
    return Translation(ImageParams(**_same(body) | made | fields, reference_images=references), scaled, usual)


def _only_background(
    segment: str, pictures: tuple[str, ...], fields: dict[str, Any], warnings: tuple[str, ...]
) -> Translation:
    """Return the parameters of an edit of one segment. Raises `NoCapableModel` for another than `BACKGROUND`."""
    if segment != BACKGROUND:
        raise NoCapableModel(
            NO_PARTS.format(name=segment, background=BACKGROUND), capability=OF_PARTS, field="$.mask_segment"
        )
    subject, *others = pictures
    return Translation(ImageParams(**fields, subject_image=subject, reference_images=tuple(others)), warnings)


def _pictures(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return given if isinstance(given, tuple) else (given,)


def _size(width: int, height: int) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the sides within `LONGEST`, in the same ratio, and a warning where they are others."""
    if max(width, height) <= LONGEST:
        return {"width": width, "height": height}, ()
    width, height = fit_sides(width, height, (SHORTEST, LONGEST), MULTIPLE)
    warning = f"Sides of more than {LONGEST} pixels are not made; the image is {width}x{height}."
    return {"width": width, "height": height}, (warning,)


def _ignored(body: EditImage | ChangeBackground | FaceSwap) -> Iterator[str]:
    usual = {field.name: field.default for field in msgspec.structs.fields(body)}
    for name in IGNORED[type(body)]:
        if getattr(body, name) != usual[name]:
            yield f"`{name}` is not supported by the models here; it was ignored."


def _hex(color: str) -> str:
    digits = color.removeprefix("#")
    return f"#{digits}" if len(digits) == 6 else f"#{''.join(2 * digit for digit in digits)}"
