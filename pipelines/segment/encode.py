"""Segments as files: a PNG of numbers and the list of what they are; runs in the encoder process."""

from pathlib import Path

import msgspec
from PIL import Image

from jobs.params.cutout import SegmentParams
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Output, Outputs, RawOutput
from pipelines.segment.segments import palette


def encode(raw: RawOutput, params: SegmentParams, folder: Path) -> Outputs:
    """Write `0.png`, whose palette shows the number of a pixel as a color, and `1.json`."""
    _, warnings = choose_format(params.output_format, ("png",), "png", "map of segments")
    drawn = Image.fromarray(raw.arrays["map"])
    drawn.putpalette(palette().tobytes())
    drawn.save(folder / "0.png", "PNG")
    content = msgspec.json.format(raw.arrays["segments"].tobytes(), indent=1)
    (folder / "1.json").write_bytes(content + b"\n")
    shown = Output(path="0.png", media_type="image/png", width=drawn.width, height=drawn.height)
    return Outputs(files=(shown, Output(path="1.json", media_type="application/json")), warnings=warnings)
