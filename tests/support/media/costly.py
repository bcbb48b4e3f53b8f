"""Small files that are made to cost a decoder much, or to be decoded by guesswork."""

import struct

from PIL import Image

from tests.support.media.recordings import tone
from tests.support.servers.media_server import encoded


def jpeg_of_scans(number: int) -> bytes:
    """A progressive JPEG whose last scan, of a few bytes, is repeated; each passes over all pixels once more."""
    jpeg = encoded(Image.new("RGB", (2000, 1500)), "JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + jpeg[last:-2] * number + jpeg[-2:]


def jpeg_of_few_bytes() -> bytes:
    """633 bytes that claim 8000x4999 pixels, all of which a decoder would fill in."""
    small = encoded(Image.new("L", (8, 8)), "JPEG")
    place = small.index(b"\xff\xc0") + 5
    claims = small[:place] + struct.pack(">HH", 4999, 8000) + small[place + 4 :]
    return claims.ljust(633, b"\0")


def wav_of_an_unknown_codec() -> bytes:
    """A WAV whose samples are in a codec that no decoder has."""
    return tone().replace(struct.pack("<IHH", 16, 1, 2), struct.pack("<IHH", 16, 0x1234, 2))
