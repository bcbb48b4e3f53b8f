"""Files that a request names: missing, too large, or of no use."""

from core.errors.fields import InvalidRequest


class UnknownInput(InvalidRequest):
    """The id of an input or stored voice that the tenant does not have, or of an input without its file."""

    code = "unknown_input"
    advice = (
        "This input does not exist; send the file to POST /inputs/v1, as the form field `file`, "
        "then send the `input_id` of the answer, or the id of an item of GET /media/v1."
    )


class UnsupportedMedia(InvalidRequest):
    """An input of a media type that the field does not accept, by its content."""

    code = "unsupported_media"
    advice = "The media type of this file is not supported; send a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF image."


class MediaTypeMismatch(InvalidRequest):
    """A file that is not what its content type, or the kind that its sender names, says."""

    code = "media_type_mismatch"
    advice = "The content of this file is not what its content type says; send the right content type, or none."


class InputTooLarge(InvalidRequest):
    """An input with too many bytes or pixels."""

    code = "input_too_large"
    advice = "The file is too large; send at most 20 MB and 64 megapixels, with no side above 8192 pixels."


class InputUnreadable(InvalidRequest):
    """An input that is broken: truncated, or of another type than it declares."""

    code = "input_unreadable"
    advice = "The file cannot be decoded; check that it opens on your side, then send it again."


class MaskOfOtherSize(InvalidRequest):
    """A mask whose sides are not those of the image that it belongs to."""

    code = "mask_of_other_size"
    advice = "The mask must have the width and height of `input_image`; send one of that size."


class EmptyMask(InvalidRequest):
    """A mask without a transparent pixel, which leaves nothing to repaint."""

    code = "empty_mask"
    advice = "The mask has no transparent pixel, so nothing would be repainted; make transparent what is to change."


class LoraNotAllowed(InvalidRequest):
    """A LoRA of the caller's whose file no entry of the catalog names."""

    code = "lora_not_allowed"
    advice = (
        "This file is not on the operator's list of LoRAs; ask the operator to add its sha256 with its license, "
        "or use one of the model's own `loras` in GET /models/v1."
    )


class LoraNotCompatible(InvalidRequest):
    """A LoRA that was made for another model."""

    code = "lora_not_compatible"
    advice = "This LoRA was made for another model; choose that one, or another LoRA."


class PictureTooBusy(InvalidRequest):
    """A picture that the `detail` of the request would make an SVG beyond its bounds."""

    code = "picture_too_busy"
    advice = (
        "The picture is too busy to be traced with this `detail`; leave `detail` out to have it drawn coarser, or send "
        "a smaller or smoother picture."
    )
