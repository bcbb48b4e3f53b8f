"""Which files the media library takes: the kind and the media type of a file, by its content and what its sender says.

The content decides. What a sender says must agree with it, and tells apart only what looks alike: text and Markdown,
the formats that are archives inside, a recording and a film.
"""

from typing import NamedTuple

from core.errors.inputs import MediaTypeMismatch, UnsupportedMedia
from jobs.media import LibraryKind
from jobs.media_types import AS_AUDIO, TYPES, sniff

LOOK = 4096
"""Bytes of a file that `identify` needs at most."""
EXTENSIONS: dict[str, str] = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "image/avif": "avif",
    "image/svg+xml": "svg",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/webm": "weba",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/matroska": "mkv",
    "model/gltf-binary": "glb",
    "model/ply": "ply",
    "model/obj": "obj",
    "model/stl": "stl",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/csv": "csv",
    "text/vtt": "vtt",
    "application/x-subrip": "srt",
    "application/json": "json",
    "application/x-safetensors": "safetensors",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.oasis.opendocument.text": "odt",
}
"""The endings of the files that the library takes, by their media types."""
TYPE_OF = {extension: media_type for media_type, extension in EXTENSIONS.items()} | {
    "jpeg": "image/jpeg",
    "tif": "image/tiff",
    "oga": "audio/ogg",
    "markdown": "text/markdown",
    "m4v": "video/mp4",
}
SAME = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-ms-bmp": "image/bmp",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-flac": "audio/flac",
    "audio/opus": "audio/ogg",
    "application/ogg": "audio/ogg",
    "video/x-matroska": "video/matroska",
    "video/x-m4v": "video/mp4",
    "application/x-pdf": "application/pdf",
    "text/x-markdown": "text/markdown",
    "audio/x-aac": "audio/aac",
}
"""Other names of media types."""
SILENT = ("", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded")
"""What a sender says that says nothing; the last is what curl says of any file."""
ARCHIVES = tuple(name for name in EXTENSIONS if name.startswith("application/vnd."))
TEXTS = ("text/plain", "text/markdown", "text/csv", "text/vtt", "application/x-subrip", "application/json", "model/obj")
ALIKE = (ARCHIVES, TEXTS)
"""Media types that the beginning of a file does not tell apart."""
_KINDS: dict[str, LibraryKind] = {"image": "image", "audio": "audio", "video": "video", "model": "mesh"}
_MAGIC = ((b"%PDF-", "application/pdf"), (b"glTF\x02\0\0\0", "model/gltf-binary"), (b"ply\n", "model/ply"))
_ARCHIVE, _UNSAFE = b"PK\x03\x04", (b"<!doctype", b"<html", b"<svg", b"<?xml", b"<script")


class FileType(NamedTuple):
    """What a file is."""

    kind: LibraryKind
    media_type: str

    @property
    def extension(self) -> str:
        """The ending of its name."""
        return EXTENSIONS[self.media_type]


def kind_of(media_type: str) -> LibraryKind:
    """Return the kind of files of a media type."""
    return _KINDS.get(media_type.partition("/")[0], "document")


def said_type(content_type: str | None, filename: str | None) -> str:
    """Return what a sender says of a file: its media type, else that of its name's ending, else nothing."""
    named = (content_type or "").partition(";")[0].strip().lower()
    if named not in SILENT:
        return SAME.get(named, named)
    return TYPE_OF.get((filename or "").rpartition(".")[2].lower(), "")


def identify(
    head: bytes, *, content_type: str | None = None, filename: str | None = None, kind: str | None = None
) -> FileType:
    """Return what a file is that begins with `head`, of at least `LOOK` bytes where it has as many.

    Raises `UnsupportedMedia` for what the library does not take, and `MediaTypeMismatch` where the content is not what
    `content_type` or `kind` says. The ending of the name decides between alike types only.
    """
    said = said_type(content_type, None)
    found = _by_content(head, said or said_type(None, filename), kind)
    if said and said != found:
        raise MediaTypeMismatch(
            f"The file is {found}, judged by its content, and its content type says {said[:100]}; send the right one, "
            "or none."
        )
    if kind is not None and kind != kind_of(found):
        raise MediaTypeMismatch(
            f"The file is {found}, judged by its content, which is not of the kind {kind[:20]}; send another file, or "
            "leave `kind` out."
        )
    return FileType(kind_of(found), found)


def _by_content(head: bytes, hint: str, kind: str | None) -> str:
    found = sniff(head)
    if found in AS_AUDIO and (hint == AS_AUDIO[found] or kind == "audio" or found == "video/3gpp"):
        return AS_AUDIO[found]
    if found in EXTENSIONS:
        return found
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    for likeness, alike in ((head.startswith(_ARCHIVE), ARCHIVES), (_is_text(head), TEXTS)):
        if likeness and hint in alike:
            return hint
    if _is_text(head):
        return "text/plain"
    if hint == "model/stl" and len(head) > 84:  # a binary one begins with 80 bytes of anything
        return hint
    images, sounds = (", ".join(TYPES[name].values()) for name in ("image", "audio"))
    raise UnsupportedMedia(
        f"The media library does not take this file{f' ({found})' if found else ''}, judged by its content; send an "
        f"image ({images}), audio ({sounds}), a film (MP4, WebM, MOV, MKV), a mesh (GLB, OBJ, PLY, STL) or a document "
        "(PDF, DOCX, PPTX, XLSX, ODT, text, Markdown, CSV, JSON). The name of a document must have its ending."
    )


def _is_text(head: bytes) -> bool:
    """Return whether these are characters of UTF-8, and not of a language that a browser runs."""
    if not head.strip() or head.lstrip(b"\xef\xbb\xbf \t\r\n")[:10].lower().startswith(_UNSAFE):
        return False
    try:
        text = head[:LOOK].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(head) < LOOK or error.start < LOOK - 4:  # a character that is cut in two is at the end
            return False
        text = head[: error.start].decode("utf-8-sig")
    return all(character.isprintable() or character in "\t\r\n\f" or ord(character) > 127 for character in text)
