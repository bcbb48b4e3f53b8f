"""The process that decodes files of remote backends: `python -m workers.remote.decoding_process FD CODE`.

It is a second sanitizer process (`workers/ingest/sanitizer_process.py`), with the same limits and the same confinement.
Its results are bare pixels and samples: whatever a file did to its decoder, no other process parses anything of it.
"""

import socket
import sys
import traceback
import wave
from pathlib import Path

from core.errors.base import AtelierError
from jobs.media_types import HEAD, expect
from workers.ingest.audio_cleaner import clean_audio
from workers.ingest.image_cleaner import read_image
from workers.ingest.sanitizer_messages import SOURCE, SanitizeRequest
from workers.ingest.sanitizer_process import BROKEN, load_decoders, serve
from workers.remote.decoding_messages import DECODED, MAX_SPEECH_SECONDS, DecodeResult


def decode(request: SanitizeRequest, folder: Path) -> DecodeResult:
    """Write the pixels or samples of `source` into `decoded`, beside it. Raises `OSError` of the machine."""
    try:
        return (_decode_image if request.kind == "image" else _decode_audio)(request, folder)
    except AtelierError as error:
        return DecodeResult(message=error.detail)
    except (MemoryError, ValueError, ArithmeticError, LookupError, TypeError, SyntaxError, wave.Error):
        traceback.print_exc()
        return DecodeResult(message=BROKEN)


def _decode_image(request: SanitizeRequest, folder: Path) -> DecodeResult:
    source = folder / SOURCE
    image = read_image(source, _media_type(source, request), request.max_pixels)
    (folder / DECODED).write_bytes(image.tobytes())
    return DecodeResult(width=image.width, height=image.height, channels=len(image.getbands()))


def _decode_audio(request: SanitizeRequest, folder: Path) -> DecodeResult:
    source, clean = folder / SOURCE, folder / "clean.wav"
    clean_audio(source, _media_type(source, request), clean, max_seconds=MAX_SPEECH_SECONDS)
    with wave.open(str(clean), "rb") as samples:
        (folder / DECODED).write_bytes(samples.readframes(samples.getnframes()))
        return DecodeResult(channels=1, rate=samples.getframerate())


def _media_type(source: Path, request: SanitizeRequest) -> str:
    with source.open("rb") as file:
        return expect(file.read(HEAD), request.kind)


if __name__ == "__main__":
    load_decoders()
    serve(socket.socket(fileno=int(sys.argv[1])), decode)
