"""The process that decodes what strangers send: `python -m workers.ingest.sanitizer_process FD`.

It has no credential, and forks a child for each input: in milliseconds, since the decoders are loaded already. The
child takes limits upon itself, reads `source` in the folder of its order, writes the clean copy beside it, and answers
through a pipe of its own; whatever becomes of it, the pipe's end says that it is over. It leaves with its parent.
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
from workers.ingest.image_cleaner import clean_picture

MEMORY_BYTES = 2 * 2**30
FILE_BYTES = 512 * 10**6
OPEN_FILES = 64
ORDER_BYTES = 16_384
SOURCE = "source"
NO_ROOM = "no_room"
"""The code of an answer that says nothing about the input: the clean copy found no room on this machine."""


class SanitizeRequest(msgspec.Struct, frozen=True):
    """Clean `source` in `folder`, of this kind, within `seconds`. A sound is longer than `min_seconds`."""

    kind: MediaKind
    folder: str
    seconds: float
    min_seconds: float = 0.0


class SanitizeResult(msgspec.Struct, frozen=True):
    """The media type of the clean copy; or the code and the sentence of what is wrong with the input."""

    media_type: str = ""
    code: str = ""
    message: str = ""


def serve(control: socket.socket) -> None:
    """Fork a child for every order that arrives, until the other side is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    Image.init()  # all decoders now: each child opens with the one that it names
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, ORDER_BYTES, 1)
        if not order:
            return
        if os.fork() == 0:
            control.close()
            _handle(msgspec.json.decode(order, type=SanitizeRequest), descriptors[0])
        os.close(descriptors[0])


def _handle(order: SanitizeRequest, pipe: int) -> NoReturn:
    status = 1
    try:
        die_with_parent()
        limit(order.seconds)
        os.write(pipe, msgspec.json.encode(clean(order.kind, Path(order.folder), order.min_seconds)))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def limit(seconds: float) -> None:
    """Bound time, memory, file sizes and open files of this process; no core dumps with people's pictures in them."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    for what, most in (
        (resource.RLIMIT_CPU, round(seconds) + 1),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def clean(kind: MediaKind, folder: Path, min_seconds: float) -> SanitizeResult:
    """Write the clean copy, as `clean.png` or `clean.wav`."""
    source = folder / SOURCE
    try:
        with source.open("rb") as file:
            media_type = expect(file.read(HEAD), kind)
        if kind == "image":
            clean_picture(source, media_type, folder / "clean.png")
            return SanitizeResult(media_type="image/png")
        if kind == "audio":
            from workers.ingest.audio_cleaner import clean_sound

            clean_sound(source, media_type, folder / "clean.wav", min_seconds)
            return SanitizeResult(media_type="audio/wav")
        raise UnsupportedMedia("Films are not taken as inputs yet; send a picture or a recording.")
    except MemoryError:
        return SanitizeResult(
            code=InputTooLarge.code, message="Decoding this file takes more memory than an input may."
        )
    except AtelierError as error:
        return SanitizeResult(code=error.code, message=error.detail)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return SanitizeResult(code=NO_ROOM, message=str(error))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
