"""The media type of a file by its first bytes; its name and the sender's header are ignored.

The type decides only which decoder reads a file; decoding shows whether the file is whole and valid. Recordings and
films share their containers: where audio is expected the streams in the file decide, which the decoder sees.
"""

from core.errors.inputs import UnsupportedMedia
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
        "image/avif": "AVIF",
    },
    "audio": {
        "audio/wav": "WAV",
        "audio/mpeg": "MP3",
        "audio/ogg": "OGG",
        "audio/flac": "FLAC",
        "audio/mp4": "M4A",
        "audio/aac": "AAC",
        "audio/webm": "WebM",
    },
    "video": {"video/mp4": "MP4", "video/webm": "WebM", "video/quicktime": "MOV"},
    "lora": {"application/x-safetensors": "safetensors"},
}
"""Media types that each kind of input accepts, and their usual names."""

AS_AUDIO = {
    "video/mp4": "audio/mp4",
    "video/quicktime": "audio/mp4",
    "video/3gpp": "audio/mp4",
    "video/webm": "audio/webm",
    "video/matroska": "audio/webm",
}
"""Containers of films, and their media types when they hold a recording: phones and browsers mark both alike."""

TYPES["recording"] = TYPES["audio"] | TYPES["video"]
_NOUNS: dict[MediaKind, str] = {
    "image": "an image",
    "audio": "audio",
    "video": "a video",
    "recording": "a recording or a film",
    "lora": "a LoRA",
}
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
_BRANDS = {
    **dict.fromkeys((b"M4A ", b"M4B "), "audio/mp4"),
    **dict.fromkeys((b"avc1", b"dash", b"mmp4", b"mp41", b"mp42", b"mp71", b"MSNV"), "video/mp4"),
    **dict.fromkeys((b"M4V ", b"M4VH", b"M4VP"), "video/mp4"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    b"qt  ": "video/quicktime",
}
_IMAGE_BRANDS = {b"mif1", b"msf1"}
"""Brands of HEIC and AVIF alike; the compatible brands, which follow, tell them apart."""
_EBML = b"\x1aE\xdf\xa3"
_DOC_TYPES = {b"\x42\x82\x84webm": "video/webm", b"\x42\x82\x88matroska": "video/matroska"}
_SHOWN = {"image/heic": "an HEIC picture, as phones take them"}


def sniff(head: bytes) -> str | None:
    """Return the media type of a file that begins with `head` (`HEAD` bytes are enough); None for an unknown type."""
    if head[4:9] == b"\0\0\0\0{":  # the length of a header of JSON, in 8 bytes
        return "application/x-safetensors"
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[:4] == _EBML:
        return next((media_type for name, media_type in _DOC_TYPES.items() if name in head), None)
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # ADTS: its sync word, and layer 0
        return "audio/aac"
    return "audio/mpeg" if _begins_mp3_frame(head) else None


def expect(head: bytes, kind: MediaKind, *, field: str | None = None) -> str:
    """Return the media type of a file of this kind; raises `UnsupportedMedia`, which names the accepted types.

    A container that may hold a recording passes as one.
    """
    found = sniff(head)
    if kind in ("audio", "recording") and found is not None:
        found = AS_AUDIO.get(found, found)
    if found is None or found not in TYPES[kind]:
        *others, last = TYPES[kind].values()
        names = f"{', '.join(others)} or {last}" if others else last
        what = "of no known type" if found is None else _SHOWN.get(found, found)
        raise UnsupportedMedia(
            f"This file is {what}, judged by its content; send {_NOUNS[kind]} as {names}.",
            field=field,
        )
    return found


def expect_any(head: bytes) -> str:
    """Return the media type of a file that some field takes; raises `UnsupportedMedia`, which names the types."""
    found = sniff(head)
    if found is None or (found not in AS_AUDIO and not any(found in names for names in TYPES.values())):
        *images, last_image = TYPES["image"].values()
        *sounds, last_sound = TYPES["audio"].values()
        what = "of no known type" if found is None else _SHOWN.get(found, found)
        raise UnsupportedMedia(
            f"This file is {what}, judged by its content; send an image as {', '.join(images)} or {last_image}, "
            f"or audio as {', '.join(sounds)} or {last_sound}."
        )
    return found


def _iso_media(head: bytes) -> str | None:
    """Return the type by the major brand, of pictures by the compatible ones too."""
    brand = head[8:12]
    if brand in _IMAGE_BRANDS:
        return "image/avif" if b"avif" in head[16:] else "image/heic"
    if brand.startswith(b"iso"):
        return "video/mp4"
    return "video/3gpp" if brand.startswith(b"3g") else _BRANDS.get(brand)


def _begins_mp3_frame(head: bytes) -> bool:
    """Return whether a valid frame header of layer III begins here: sync, version and bit rate."""
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    return head[1] & 0x18 != 0x08 and head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C
