"""The media type of a file by its first bytes; its name and the sender's header are ignored.

The type decides only which decoder reads a file; decoding shows whether the file is whole and valid.
"""

from core.errors import UnsupportedMedia
from jobs.params.media import MediaKind

HEAD = 64
"""Bytes of a file that `sniff` needs at most."""

TYPES: dict[MediaKind, dict[str, str]] = {
    "image": {
        "image/png": "PNG",
        "image/jpeg": "JPEG",
        "image/webp": "WebP",
        "image/gif": "GIF",
        "image/bmp": "BMP",
        "image/tiff": "TIFF",
    },
    "audio": {
        "audio/wav": "WAV",
        "audio/mpeg": "MP3",
        "audio/ogg": "OGG",
        "audio/flac": "FLAC",
        "audio/mp4": "M4A",
    },
    "video": {"video/mp4": "MP4", "video/webm": "WebM"},
}
"""Media types that each kind of input accepts, and their usual names."""

_NOUNS: dict[MediaKind, str] = {"image": "an image", "audio": "audio", "video": "a video"}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_M4A_BRANDS = {b"M4A ", b"M4B "}
_MP4_BRANDS = {b"avc1", b"dash", b"mmp4", b"mp41", b"mp42", b"mp71", b"MSNV", b"M4V ", b"M4VH", b"M4VP"}


def sniff(head: bytes) -> str | None:
    """Return the media type of a file that begins with `head` (`HEAD` bytes are enough); None for an unknown type."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    if head[4:8] == b"ftyp":
        return _iso_media(head[8:12])
    if head[:4] == b"\x1aE\xdf\xa3" and b"\x42\x82\x84webm" in head:  # EBML, its DocType
        return "video/webm"
    return "audio/mpeg" if _begins_mp3_frame(head) else None


def expect(head: bytes, kind: MediaKind, *, field: str | None = None) -> str:
    """Return the media type of a file of this kind; raises `UnsupportedMedia`, which names the accepted types."""
    found = sniff(head)
    if found is None or found not in TYPES[kind]:
        *others, last = TYPES[kind].values()
        what = "of no known type" if found is None else found
        raise UnsupportedMedia(
            f"This file is {what}, judged by its content; send {_NOUNS[kind]} as {', '.join(others)} or {last}.",
            field=field,
        )
    return found


def _iso_media(brand: bytes) -> str | None:
    """Return the type by the major brand: HEIC, AVIF and QuickTime share this container and are not accepted."""
    if brand in _M4A_BRANDS:
        return "audio/mp4"
    return "video/mp4" if brand in _MP4_BRANDS or brand.startswith(b"iso") else None


def _begins_mp3_frame(head: bytes) -> bool:
    """Return whether a valid frame header of layer III begins here: sync, version and bit rate."""
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    return head[1] & 0x18 != 0x08 and head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C
