"""Transcripts as files: JSON with times, plain text, or subtitles; runs in the encoder process."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from jobs.params.text import TranscriptParams
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Output, Outputs, RawOutput
from pipelines.transcript.transcript import Transcript, read, to_srt, to_vtt

MEDIA_TYPES = {"json": "application/json", "txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
WRITERS: Mapping[str, Callable[[Transcript], str]] = {
    "json": lambda transcript: msgspec.json.encode(transcript).decode() + "\n",
    "txt": lambda transcript: transcript.text + "\n",
    "srt": to_srt,
    "vtt": to_vtt,
}


def encode(raw: RawOutput, params: TranscriptParams, folder: Path) -> Outputs:
    """Write `0.json`, `0.txt`, `0.srt` or `0.vtt` in UTF-8; image formats give `0.json` with a warning."""
    ending, warnings = choose_format(params.output_format, tuple(MEDIA_TYPES), "json", "transcript")
    if ending != "json" and "word" in params.timestamp_granularities:
        warnings = (*warnings, "the times of words are in a json file alone")
    (folder / f"0.{ending}").write_text(WRITERS[ending](read(raw.arrays["transcript"])), "utf-8")
    return Outputs(files=(Output(path=f"0.{ending}", media_type=MEDIA_TYPES[ending]),), warnings=warnings)
