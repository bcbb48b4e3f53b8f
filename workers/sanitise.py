"""The child that decodes one input of a stranger: `python -m workers.sanitise KIND FOLDER SECONDS`.

It takes limits upon itself, reads `source` in FOLDER, writes the clean copy and then `answer.json` beside it, and
ends. Nothing that it says is believed beyond the shape of its answer (`workers.sanitiser`).
"""

import json
import resource
import sys
from pathlib import Path

MEMORY_BYTES = 2 * 2**30
FILE_BYTES = 512 * 10**6
OPEN_FILES = 64
SOURCE, ANSWER = "source", "answer.json"


def limit(seconds: int) -> None:
    """Bound memory, processor time, file sizes and open files; no core dumps with people's pictures in them."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def clean(kind: str, folder: Path) -> dict[str, str]:
    """Write the clean copy; its file and media type, or the code and sentence of what is wrong with the input."""
    from jobs.errors import AtelierError, InputTooLarge, UnsupportedMedia
    from jobs.media_types import HEAD, expect

    source = folder / SOURCE
    try:
        with source.open("rb") as file:
            head = file.read(HEAD)
        media_type = expect(head, kind)  # type: ignore[arg-type]
        if kind == "image":
            from workers.pictures import clean_picture

            clean_picture(source, media_type, folder / "clean.png")
            return {"media_type": "image/png"}
        if kind == "audio":
            from workers.sounds import clean_sound

            clean_sound(source, media_type, folder / "clean.wav")
            return {"media_type": "audio/wav"}
        raise UnsupportedMedia("Films are not taken as inputs yet; send a picture or a recording.")
    except MemoryError:
        return {"code": InputTooLarge.code, "message": "Decoding this file takes more memory than an input may."}
    except AtelierError as error:
        return {"code": error.code, "message": error.detail}


def main(kind: str, folder: Path, seconds: int) -> None:
    """Answer and end."""
    limit(seconds)
    answer = clean(kind, folder)
    (folder / ANSWER).write_text(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
