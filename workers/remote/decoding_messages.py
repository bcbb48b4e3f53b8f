"""What the CPU worker and the process that decodes a backend's files say to each other; no decoder is loaded here."""

import msgspec

DECODED = "decoded"
"""The name of the pixels or samples, beside the file."""
MAX_SPEECH_SECONDS = 1800.0


class DecodeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is in `decoded`: bytes of pixels, row by row, or 16-bit samples; or why there is nothing.

    `channels` of a picture are 3 or 4, and `rate` is that of the samples of a second.
    """

    width: int = 0
    height: int = 0
    channels: int = 0
    rate: int = 0
    message: str = ""
