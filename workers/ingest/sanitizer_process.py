"""The sanitizer process, which decodes files of callers: `python -m workers.ingest.sanitizer_process FD`.

It has no credential, and forks a child for each input: in milliseconds, since the decoders are loaded already. The
child limits its own resources, reads `source` in the folder of its request, writes the clean copy beside it, and
answers through a pipe of its own. The end of the pipe says that the child is gone. The process ends with its parent.
"""

import errno
import os
import resource
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import msgspec
from PIL import Image

from core.errors import AtelierError, InputTooLarge, UnsupportedMedia
from core.processes import die_with_parent
from jobs.media_types import HEAD, expect
from jobs.params.media import MediaKind
from workers.ingest.image_cleaner import clean_image

MEMORY_BYTES = 2 * 2**30
FILE_BYTES = 512 * 10**6
OPEN_FILES = 64
REQUEST_BYTES = 16_384
SOURCE = "source"
NO_ROOM = "no_room"
"""The code of a result without a verdict: the clean copy did not fit on this machine."""


class SanitizeRequest(msgspec.Struct, frozen=True):
    """A request to clean `source` in `folder`, of this kind, within `seconds`; audio is longer than `min_seconds`."""

    kind: MediaKind
    folder: str
    seconds: float
    min_seconds: float = 0.0


class SanitizeResult(msgspec.Struct, frozen=True):
    """The media type of the clean copy; or the code of the input's error and its message."""

    media_type: str = ""
    code: str = ""
    message: str = ""


def serve(control: socket.socket) -> None:
    """Fork a child for each request, until the CPU worker is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the children are not waited for
    Image.init()  # all decoders now, so that each child finds its own loaded
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES, 1)
        if not request:
            return
        if os.fork() == 0:
            control.close()
            _handle(msgspec.json.decode(request, type=SanitizeRequest), descriptors[0])
        os.close(descriptors[0])


def _handle(request: SanitizeRequest, pipe: int) -> NoReturn:
    status = 1
    try:
        die_with_parent()
        limit_resources(request.seconds)
        os.write(pipe, msgspec.json.encode(clean(request.kind, Path(request.folder), request.min_seconds)))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def limit_resources(seconds: float) -> None:
    """Bound time, memory, file sizes and open files of this process, and forbid core dumps, which would hold inputs."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    for limit, most in (
        (resource.RLIMIT_CPU, round(seconds) + 1),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


def clean(kind: MediaKind, folder: Path, min_seconds: float) -> SanitizeResult:
    """Write the clean copy, `clean.png` or `clean.wav`, and return its media type or the input's error."""
    source = folder / SOURCE
    try:
        with source.open("rb") as file:
            media_type = expect(file.read(HEAD), kind)
        if kind == "image":
            clean_image(source, media_type, folder / "clean.png")
            return SanitizeResult(media_type="image/png")
        if kind == "audio":
            from workers.ingest.audio_cleaner import clean_audio

            clean_audio(source, media_type, folder / "clean.wav", min_seconds)
            return SanitizeResult(media_type="audio/wav")
        raise UnsupportedMedia("Videos are not supported as inputs yet; send an image or a recording.")
    except MemoryError:
        return SanitizeResult(
            code=InputTooLarge.code,
            message="Decoding this file takes more memory than an input may; send a smaller one.",
        )
    except AtelierError as error:
        return SanitizeResult(code=error.code, message=error.detail)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return SanitizeResult(code=NO_ROOM, message=str(error))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
