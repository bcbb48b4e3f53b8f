"""`data:` URLs (RFC 2397), decoded strictly and in chunks, so that no request blocks a thread for long.

The media type in such a URL is ignored; the content decides (`jobs.media_types`).
"""

import binascii
import re
from collections.abc import Iterator
from mmap import mmap
from urllib.parse import unquote_to_bytes

from api.http.spooled_body import SpooledBody
from core.errors.inputs import InputTooLarge, InputUnreadable

STEP = 1 << 20
"""Characters decoded at once; a multiple of 4."""
PERCENT_LIMIT = 1_000_000
"""The longest text that is not base64; decoding it costs a hundred times as much."""
_ESCAPES = {"%2B": "+", "%2b": "+", "%2F": "/", "%2f": "/", "%3D": "=", "%3d": "="}
_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def is_data_url(text: str) -> bool:
    """Return whether `text` is a `data:` URL, valid or not."""
    return text[:5].lower() == "data:"


def decode(url: str, *, limit: int, field: str, body: SpooledBody | None = None) -> Iterator[bytes]:
    """Return the bytes of a `data:` URL in chunks; of one in `body`, `url` may have only the reference to its base64.

    Raises `InputUnreadable`, or `InputTooLarge` beyond `limit`.
    """
    comma = url.find(",")
    if comma < 0:
        raise InputUnreadable("The data: URL has no comma; put one before the data.", field=field)
    if url[:comma].lower().endswith(";base64"):
        place = body.find(url[comma + 1 :]) if body is not None else None
        text, begin, end = place or _unescaped(url, comma + 1)
        return _base64(text, begin, end, limit, field)
    return iter([_percent(url[comma + 1 :], limit, field)])


def _unescaped(text: str, begin: int) -> tuple[str, int, int]:
    """Return the base64 from `begin` on as a text, its begin and its end; it is copied only where it has escapes."""
    if text.find("%", begin) >= 0:
        text, begin = text[begin:], 0
        for escape, character in _ESCAPES.items():
            text = text.replace(escape, character)
    return text, begin, len(text)


def _base64(text: str | mmap, begin: int, end: int, limit: int, field: str) -> Iterator[bytes]:
    """Yield the bytes of the base64 between `begin` and `end`."""
    if (end - begin) // 4 * 3 > limit + 2:
        raise _too_large(limit, field)
    size = 0
    for start in range(begin, end, STEP):
        piece = text[start : min(start + STEP, end)]
        try:
            chunk = binascii.a2b_base64(piece, strict_mode=True)
        except ValueError as error:
            raise InputUnreadable(
                f"The data: URL is not valid base64 ({error}); encode the file again.", field=field
            ) from None
        if len(chunk) < STEP // 4 * 3 and start + STEP < end:
            raise InputUnreadable(
                "The data: URL is not valid base64 (padding before its end); encode the file again.", field=field
            )
        size += len(chunk)
        if size > limit:
            raise _too_large(limit, field)
        yield chunk


def _percent(text: str, limit: int, field: str) -> bytes:
    if len(text) > PERCENT_LIMIT:
        raise InputTooLarge("A data: URL of this size must be base64; send `data:image/png;base64,…`.", field=field)
    if not text.isascii() or _BROKEN_ESCAPE.search(text):
        raise InputUnreadable(
            "The data: URL has characters that must be percent-encoded; encode them, or send base64.", field=field
        )
    content = unquote_to_bytes(text)
    if len(content) > limit:
        raise _too_large(limit, field)
    return content


def _too_large(limit: int, field: str) -> InputTooLarge:
    return InputTooLarge(
        f"The data: URL has more than {limit} bytes, the limit of an input; send a smaller file.", field=field
    )
