"""The sanitizer process, which decodes files of callers: `python -m workers.ingest.sanitizer_process FD CODE`.

It has no credential, and forks two processes for each input: in milliseconds, since the decoders are loaded already.
The decoder limits its own resources, has the kernel confine it to the folder of its request, reads `source` there,
writes the clean copy beside it, and answers through a pipe of its own. Its parent, the monitor, waits for it, and
answers instead when a limit or a crash ended it. The end of the pipe says that both are gone. All of them end with
their parents.

CODE is not read: it is the folder of this code, which `spawn` lets the account of this process reach.
"""

import errno
import os
import pkgutil
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import av
import msgspec
from PIL import Image

from core.errors.base import AtelierError
from core.errors.inputs import InputTooLarge, InputUnreadable, UnsupportedMedia
from core.processes import die_with_parent
from core.sandbox.confinement import confine
from jobs.media_types import HEAD, TYPES, expect
from jobs.params.media import MediaKind
from workers.ingest.audio_cleaner import clean_audio, clean_recording
from workers.ingest.film_cleaner import clean_film, clean_frame
from workers.ingest.image_cleaner import check_mask, clean_image
from workers.ingest.lora_cleaner import clean_lora
from workers.ingest.sanitizer_messages import NO_ROOM, SOURCE, WAITING_SECONDS, SanitizeRequest, SanitizeResult

MEMORY_BYTES = 2 * 2**30
FILE_BYTES = 512 * 10**6
OPEN_FILES = 64
REQUEST_BYTES = 16_384
BROKEN = "The decoder cannot read this file; check that it opens on your side, or save it again."
TOO_MUCH_MEMORY = "Decoding this file takes more memory than an input may; send a smaller one."
TOO_LARGE_A_COPY = f"The clean copy of this file would have more than {FILE_BYTES // 10**6} MB; send a smaller file."
Answer = Callable[[SanitizeRequest, Path], msgspec.Struct]
"""What a confined process does with the files of its folder, and its answer."""
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS}


def serve(control: socket.socket, answer: Answer) -> None:
    """Fork a monitor for each request, until the CPU worker is gone; a confined process calls `answer`."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the monitors are not waited for
    os.umask(0o022)  # the CPU worker, of another account, reads the clean copy
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES, 2)
        if not request:
            return
        if os.fork() == 0:
            control.close()
            _watch(msgspec.json.decode(request, type=SanitizeRequest), answer, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def load_decoders() -> None:
    """Import what the decoders import late: a confined process may be out of reach of Python's code."""
    Image.init()
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            import_module(module.name)


def _watch(request: SanitizeRequest, answer: Answer, pipe: int, folder: int) -> NoReturn:
    """Fork the decoder, wait for its end, and answer when it could not."""
    try:
        die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        decoder = os.fork()
        if decoder == 0:
            _decode(request, answer, pipe, folder)
        _, status, usage = os.wait4(decoder, 0)
        result = verdict(status, usage.ru_utime + usage.ru_stime, request.seconds)
        if result is not None:
            os.write(pipe, msgspec.json.encode(result))
    finally:
        os._exit(0)


def _decode(request: SanitizeRequest, answer: Answer, pipe: int, folder: int) -> NoReturn:
    status = 1
    try:
        die_with_parent()
        limit_resources(request.seconds)
        os.fchdir(folder)
        confine(folder)
        os.write(pipe, msgspec.json.encode(answer(request, Path())))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def verdict(status: int, spent: float, allowed: float) -> SanitizeResult | None:
    """Return the result for a decoder that a limit or a crash ended; None where the file is not to blame.

    `status` is that of wait(2); `spent` and `allowed` are seconds of processor time.
    """
    if not os.WIFSIGNALED(status):
        return None
    number = os.WTERMSIG(status)
    if number in (signal.SIGPROF, signal.SIGXCPU) or (number == signal.SIGKILL and spent >= allowed):
        message = f"Decoding this file takes more than {allowed:g} s of processor time; send a smaller or simpler one."
        return SanitizeResult(code=InputUnreadable.code, message=message)
    if number in CRASHES:
        return SanitizeResult(code=InputUnreadable.code, message=BROKEN)
    return None


def limit_resources(seconds: float) -> None:
    """Bound time, memory, file sizes, open files and children of this process, and forbid core dumps.

    Core dumps would hold inputs. The timer of processor time is exact, and the limit holds where a file switches
    the timer off.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds + WAITING_SECONDS)
    for limit, most in (
        (resource.RLIMIT_CPU, round(seconds) + 1),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


def clean(request: SanitizeRequest, folder: Path) -> SanitizeResult:
    """Write the clean copy (`clean.png`, `.wav`, `.mp4`, `.safetensors`); return its media type or the input's error.

    Raises `OSError` where the machine is at fault.
    """
    source = folder / SOURCE
    kind: MediaKind = "video" if request.frame is not None else request.kind
    try:
        with source.open("rb") as file:
            media_type = expect(file.read(HEAD), kind)
        if request.types and media_type not in request.types:
            names = TYPES[kind]
            taken = " or ".join(names.get(each, each) for each in request.types)
            raise UnsupportedMedia(f"The model takes {taken}, and this is {names[media_type]}; convert the file.")
        return _clean(request, source, media_type, folder)
    except MemoryError:
        return SanitizeResult(code=InputTooLarge.code, message=TOO_MUCH_MEMORY)
    except AtelierError as error:
        return SanitizeResult(code=error.code, message=error.detail)
    except OSError as error:
        if error.errno == errno.EFBIG:
            return SanitizeResult(code=InputTooLarge.code, message=TOO_LARGE_A_COPY)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return SanitizeResult(code=NO_ROOM, message=str(error))
    except Exception:  # a decoder that this file has brought to an error of its own
        traceback.print_exc()
        return SanitizeResult(code=InputUnreadable.code, message=BROKEN)


def _clean(request: SanitizeRequest, source: Path, media_type: str, folder: Path) -> SanitizeResult:
    if request.frame is not None or request.kind == "image":
        picture = folder / "clean.png"
        if request.frame is not None:
            clean_frame(source, media_type, picture, request.frame)
        else:
            clean_image(source, media_type, picture, request.max_pixels, request.min_side)
        if request.is_mask:
            check_mask(picture)
        return SanitizeResult(media_type="image/png")
    if request.kind == "video":
        clean_film(source, media_type, folder / "clean.mp4", request.max_seconds)
        return SanitizeResult(media_type="video/mp4")
    if request.kind == "lora":
        clean_lora(source, folder / "clean.safetensors")
        return SanitizeResult(media_type="application/x-safetensors")
    if request.kind == "recording":
        clean_recording(source, media_type, folder / "clean.wav")
    else:
        clean_audio(source, media_type, folder / "clean.wav", request.min_seconds)
    return SanitizeResult(media_type="audio/wav")


if __name__ == "__main__":
    load_decoders()
    serve(socket.socket(fileno=int(sys.argv[1])), clean)
