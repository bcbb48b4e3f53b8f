"""The cleaner of images: writes a clean copy as 8-bit sRGB, upright, the first frame only, pixels only."""

import io
import struct
import warnings
import zlib
from pathlib import Path

from PIL import AvifImagePlugin, Image, ImageChops, ImageCms, PngImagePlugin, TiffImagePlugin

from core.errors.fields import NotThisModel
from core.errors.inputs import EmptyMask, InputTooLarge, InputUnreadable, UnsupportedMedia
from jobs.params.image import OPAQUE
from workers.ingest.image_containers import PROFILE_BYTES, check_jpeg, without_texts

MAX_SIDE = 8192
FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/avif": "AVIF",
}
"""Pillow's decoder for each media type; no other decoder may read the file."""
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a decoder may start no thread
PngImagePlugin.MAX_TEXT_CHUNK = PROFILE_BYTES  # the limit of profiles too

ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that undoes each EXIF orientation (CIPA DC-008, 4.6.5.1)."""
XMP = {"xmp", "XML:com.adobe.xmp"}
"""Where Pillow keeps XMP. It looks there for an orientation, which programs leave after they have turned the pixels."""
DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, ArithmeticError, AttributeError),
    *(struct.error, zlib.error),
)
"""The errors of Pillow's decoders for files that they cannot decode."""
SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Color spaces of ICC profiles, and the modes of images that such a profile can describe."""
PHOTOMETRIC, WHITE_IS_ZERO, BITS_PER_SAMPLE = 262, 0, 258
"""Tags of TIFF 6.0, and a value of the first."""
COMPRESSION = {"image/jpeg": (1, zlib.Z_RLE)}
"""Level and strategy for the clean copy by the media type of the source.

Run lengths only are a third faster than a search for matches, and photographs do not become larger. What is small
because it repeats itself would become as large as its pixels, and a JPEG is never small for that.
"""
OTHERWISE = 3, zlib.Z_DEFAULT_STRATEGY
ROUNDING = 2
"""Levels (of 255) by which a profile may differ from sRGB and still count as sRGB."""


def clean_image(source: Path, media_type: str, target: Path, max_pixels: int, min_side: int = 0) -> None:
    """Write the PNG `target`, RGB, or RGBA where anything is transparent.

    Raises what `read_image` raises, and `NotThisModel` for a picture with a side below `min_side`.
    """
    cleaned = read_image(source, media_type, max_pixels)
    if min(cleaned.size) < min_side:
        raise NotThisModel(
            f"This picture has {cleaned.width}x{cleaned.height} pixels, and {min_side}x{min_side} are the least here; "
            "send a larger one."
        )
    level, strategy = COMPRESSION.get(media_type, OTHERWISE)
    cleaned.save(target, "PNG", compress_level=level, compress_type=strategy)


def check_mask(file: Path) -> None:
    """Raise `EmptyMask` for a clean copy in which nothing is transparent."""
    with Image.open(file, formats=["PNG"]) as mask:
        if mask.mode != "RGBA" or not any(mask.getchannel("A").histogram()[: OPAQUE + 1]):
            raise EmptyMask


def read_image(source: Path, media_type: str, max_pixels: int) -> Image.Image:
    """Return the pixels of a file, upright and in sRGB: RGB, or RGBA where anything is transparent.

    Raises `InputTooLarge` before any pixel is decoded, `InputUnreadable` and `UnsupportedMedia`.
    """
    if media_type == "image/avif" and not AvifImagePlugin.SUPPORTED:
        raise UnsupportedMedia("This service was installed without a decoder of AVIF; send a PNG, JPEG or WebP.")
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("ignore")  # Pillow warns of harmless oddities of files
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    content = source.read_bytes()
    if media_type == "image/png":
        content = without_texts(content)
    try:
        with Image.open(io.BytesIO(content), formats=[FORMATS[media_type]]) as opened:
            check_size(*opened.size, max_pixels)
            if media_type == "image/jpeg":
                check_jpeg(content, max_pixels)
            for name in XMP:
                opened.info.pop(name, None)
            opened.load()
            check_size(*opened.size, max_pixels)
            cleaned = to_srgb(upright(opened))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputTooLarge(f"This image has too many pixels; {_advice(max_pixels)}") from None
    except DECODE_ERRORS as error:
        raise InputUnreadable from error
    cleaned.info = {}
    return cleaned


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise `InputTooLarge` for more pixels than an input may have."""
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise InputTooLarge(f"This image has {width}x{height} pixels; {_advice(max_pixels)}")


def _advice(max_pixels: int) -> str:
    return f"send at most {max_pixels / 1e6:g} megapixels, with no side above {MAX_SIDE}."


def upright(image: Image.Image) -> Image.Image:
    """Return the image turned as its EXIF orientation says; broken EXIF is ignored.

    A TIFF is upright already: Pillow turns it when it loads.
    """
    try:
        exif = Image.Exif()
        exif.load(image.info.get("exif", b""))
        method = UPRIGHT.get(exif.get(ORIENTATION, 1))
    except Exception:
        return image
    if method is None:
        return image
    turned = image.transpose(method)
    turned.info = image.info
    return turned


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert to sRGB through the embedded profile, 16 bits to 8, palettes resolved; drop an alpha that is opaque."""
    if image.mode == "F":
        raise UnsupportedMedia("This image has floating-point values; send one with 8 or 16 bits per channel.")
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    color = _through_profile(image)
    if alpha is not None and alpha.getextrema() != (255, 255):
        color.putalpha(alpha)
    return color


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16 bits to 8; of a TIFF also 12 bits, and those of which 0 is white, which Pillow leaves as they are."""
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    largest = 4095 if tags.get(BITS_PER_SAMPLE) == (12,) else 65_535
    scale, black = (-255 / largest, 255.5) if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO else (255 / largest, 0.5)
    narrow = image.convert("I").point(lambda value: value * scale + black).convert("L")
    narrow.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return narrow


def _through_profile(image: Image.Image) -> Image.Image:
    """Convert the colors to sRGB; a profile that is broken, or of another kind of image, is ignored."""
    profile = image.info.get("icc_profile")
    mode = "L" if image.mode in ("1", "L", "LA") else "CMYK" if image.mode == "CMYK" else "RGB"
    masked = mode == "RGB" and image.has_transparency_data
    color = image.convert("RGBA").convert("RGB") if masked else image.convert(mode)
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if SPACES.get(source.profile.xcolor_space.strip()) == mode and not _is_srgb(source, mode):
                color = _convert(color, source)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return color.convert("RGB")


def _convert(color: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        color,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return converted or color


def _is_srgb(profile: ImageCms.ImageCmsProfile, mode: str) -> bool:
    """Return whether a conversion would only round, by its effect: a profile named sRGB may be linear."""
    if mode != "RGB":
        return False
    levels = range(0, 256, 51)
    chart = bytes(value for red in levels for green in levels for blue in levels for value in (red, green, blue))
    shown = Image.frombytes("RGB", (36, 6), chart)
    return max(ImageChops.difference(shown, _convert(shown, profile)).tobytes()) <= ROUNDING
