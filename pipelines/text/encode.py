"""Texts as files, plain or in Markdown; runs in the encoder process."""

from pathlib import Path

from jobs.params.text import TextParams
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Output, Outputs, RawOutput

MEDIA_TYPES = {"txt": "text/plain", "md": "text/markdown"}


def encode(raw: RawOutput, params: TextParams, folder: Path) -> Outputs:
    """Write `0.txt` or `0.md`, UTF-8 without a byte order mark; image formats give `0.txt` with a warning."""
    ending, warnings = choose_format(params.output_format, tuple(MEDIA_TYPES), "txt", "text")
    (folder / f"0.{ending}").write_bytes(raw.arrays["text"].tobytes())
    return Outputs(files=(Output(path=f"0.{ending}", media_type=MEDIA_TYPES[ending]),), warnings=warnings)
