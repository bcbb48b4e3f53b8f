"""ImagePipeline's bodies as parameters of a job."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from api.dialects.imagepipeline.schema import (
    BrandLogo,
    BrandTemplate,
    ChangeBackground,
    EditImage,
    ImagePipelineImage,
    InstaModel,
    PersonPrompt,
    RemoveBackground,
    TryOn,
    VoiceClone,
)
from core.errors.fields import NoCapableModel, OutOfRange
from jobs.params.branding import BrandingParams
from jobs.params.cutout import CutoutParams
from jobs.params.image import ImageParams
from jobs.params.registry import AnyParams
from jobs.params.speech import SpeechParams

LONGEST = 1024
"""The longest side of `ImageParams`."""
MULTIPLE = 8
NEEDS_TEXT = "`enhance_prompt` needs a text model, and no running server has one; leave it out."
MOST_PICTURES = 17
IGNORED = {
    EditImage: (
        *("refine_strength", "cfg_norm_strength", "product_saturation", "mask_segment", "mask_feather_px"),
        "tone_correction",
    ),
    ChangeBackground: ("tone_correction", "harmonize_strength"),
}
"""Fields that no served model has; one that is set is ignored, and the status has a warning."""


class Translation(msgspec.Struct, frozen=True):
    """The parameters of a body, what was not passed on, and the defaults of the route that are not theirs."""

    params: AnyParams
    warnings: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}


def plain(body: AnyParams) -> Translation:
    """Return a body that has the native fields."""
    return Translation(body)


def generate_image(body: ImagePipelineImage) -> Translation:
    """Return the parameters of an image. Raises `NoCapableModel` for a prompt that a text model should enhance."""
    if body.enhance_prompt:
        raise NoCapableModel(NEEDS_TEXT, capability="text", field="$.enhance_prompt")
    return Translation(body)


def edit_image(body: EditImage) -> Translation:
    """Return the parameters of an edit: the first picture is the one that is edited."""
    pictures = _pictures(body.input_image)
    if len(pictures) > MOST_PICTURES:
        raise OutOfRange(f"`input_image` must have at most {MOST_PICTURES} pictures.", field="$.input_image")
    width, height, scaled = _size(body.width or LONGEST, body.height or LONGEST)
    params = ImageParams(
        prompt=f"{body.prompt}, in {body.mode} style" if body.mode else body.prompt,
        input_image=pictures[0] if pictures else None,
        reference_images=pictures[1:],
        width=width,
        height=height,
        seed=body.seed,
        output_format=body.output_format,
        num_inference_steps=body.num_inference_steps,
        guidance_scale=body.guidance_scale,
        quality="fast" if body.faster_inference else "standard",
        palette=body.palette,
        negative_prompt=body.negative_prompt,
        profile_id=body.profile_id,
        callback_url=body.callback_url,
        server_id=body.server_id,
    )
    return Translation(params, (*scaled, *_ignored(body)))


def change_background(body: ChangeBackground) -> Translation:
    """Return the parameters of a background, over which the subject of the picture is put."""
    params = ImageParams(
        prompt=body.prompt,
        subject_image=body.input_image,
        palette=body.palette,
        num_inference_steps=body.num_inference_steps,
        guidance_scale=body.true_cfg_scale,
        quality="fast" if body.faster_inference else "standard",
        seed=body.seed,
        output_format=body.output_format,
        callback_url=body.callback_url,
        server_id=body.server_id,
    )
    kept = () if body.use_segmentation else ("`use_segmentation` false is not supported; the subject was cut out.",)
    return Translation(params, (*kept, *_ignored(body)))


def remove_background(body: RemoveBackground) -> Translation:
    """Return the parameters of a cut-out, which is kept beside the picture on a color."""
    if body.recolor is None:
        warnings = ("`drop_shadow` needs `recolor`; it was ignored.",) if body.drop_shadow else ()
        plain_cutout = CutoutParams(
            image_url=body.input_image, callback_url=body.callback_url, server_id=body.server_id
        )
        return Translation(plain_cutout, warnings)
    params = CutoutParams(
        image_url=body.input_image,
        background_color=_hex(body.recolor),
        keep_cutout=True,
        drop_shadow=body.drop_shadow,
        shadow_opacity=body.shadow_opacity,
        shadow_blur=body.shadow_blur,
        shadow_dy=body.shadow_dy,
        shadow_dx=body.shadow_dx,
        output_format=body.output_format,
        callback_url=body.callback_url,
        server_id=body.server_id,
    )
    return Translation(params)


def brand_logo(body: BrandLogo) -> Translation:
    """Return the parameters of a logo on a picture."""
    params = BrandingParams(
        input_image=body.input_image,
        logo_url=body.logo_url,
        logo_position=body.position,
        output_format=body.output_format,
        callback_url=body.callback_url,
        server_id=body.server_id,
    )
    return Translation(params)


def brand_template(body: BrandTemplate) -> Translation:
    """Return the parameters of a background in the colors of the picture's subject, with a logo where there is one."""
    params = ImageParams(
        prompt=body.background_prompt,
        subject_image=body.input_image,
        palette_mode=body.palette_mode,
        logo_url=body.logo_url,
        logo_position=body.position if body.logo_url else "bottom_right",
        output_format=body.output_format,
        seed=body.seed,
        callback_url=body.callback_url,
        server_id=body.server_id,
    )
    return Translation(params)


def person_prompt(body: PersonPrompt) -> Translation:
    """Return the parameters of an image of the person in a picture."""
    return _with_references(body, body.prompt, (body.input_image,) if body.input_image else ())


def instamodel(body: InstaModel) -> Translation:
    """Return the parameters of an image of the person with a face."""
    return _with_references(body, body.prompt, (body.input_face,), width=768, height=1024)


def try_on(body: TryOn) -> Translation:
    """Return the parameters of an image of a person in other clothes."""
    prompt = (
        f"Dress the {body.gender} of the first picture in the clothing of the second picture; "
        "keep the face, the pose, the body and the background."
    )
    return _with_references(body, prompt, (body.person_image, body.clothing_image), width=832, height=1248)


def voice_clone(body: VoiceClone) -> Translation:
    """Return the parameters of speech in the voice of a recording."""
    params = SpeechParams(
        text=body.text,
        target_voice_path=body.reference_voice_url,
        language_id=body.language_id,
        max_new_tokens=body.max_new_tokens,
        exaggeration=body.exaggeration,
        apply_watermark=body.apply_watermark,
        callback_url=body.callback_url,
        server_id=body.server_id,
    )
    return Translation(params)


def _with_references(
    body: PersonPrompt | InstaModel | TryOn,
    prompt: str,
    references: tuple[str, ...],
    *,
    width: int = LONGEST,
    height: int = LONGEST,
) -> Translation:
    """Return the parameters of an image with references; `width` and `height` are the defaults of the route."""
    usual_width, usual_height, _ = _size(width, height)
    made_width, made_height, scaled = _size(body.width, body.height)
    params = ImageParams(
        prompt=prompt,
        reference_images=references,
        width=made_width,
        height=made_height,
        seed=body.seed,
        output_format=body.output_format,
        negative_prompt=getattr(body, "negative_prompt", None),
        num_inference_steps=getattr(body, "num_inference_steps", None),
        guidance_scale=getattr(body, "guidance_scale", None),
        profile_id=body.profile_id,
        callback_url=body.callback_url,
        server_id=body.server_id,
    )
    return Translation(params, scaled, {"width": usual_width, "height": usual_height})


def _pictures(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return given if isinstance(given, tuple) else (given,)


def _size(width: int, height: int) -> tuple[int, int, tuple[str, ...]]:
    """Return the sides within `LONGEST`, in the same ratio, and a warning where they are others."""
    longest = max(width, height)
    if longest <= LONGEST:
        return width, height, ()
    made = [max(64, round(side * LONGEST / longest / MULTIPLE) * MULTIPLE) for side in (width, height)]
    warning = f"Sides of more than {LONGEST} pixels are not made; the image is {made[0]}x{made[1]}."
    return made[0], made[1], (warning,)


def _ignored(body: EditImage | ChangeBackground) -> Iterator[str]:
    for name in IGNORED[type(body)]:
        if getattr(body, name) is not None:
            yield f"`{name}` is not supported by the models here; it was ignored."


def _hex(color: str) -> str:
    digits = color.removeprefix("#")
    return f"#{digits}" if len(digits) == 6 else f"#{''.join(2 * digit for digit in digits)}"
