"""Drawings as files: SVG, checked to hold nothing but shapes; runs in the encoder process."""

from pathlib import Path

from core.errors.failures import EncodeFailed
from jobs.params.vectorize import VectorizeParams
from pipelines.catalog.limits import MAX_PATHS, MAX_SVG_BYTES
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Output, Outputs, RawOutput
from pipelines.vectorize.svg import MEDIA_TYPE, read_shapes


def encode(raw: RawOutput, params: VectorizeParams, folder: Path) -> Outputs:
    """Write `0.svg`; the formats of pixels give it with a warning.

    Raises `EncodeFailed` for an SVG with anything but shapes in it, or of more than `MAX_PATHS` or `MAX_SVG_BYTES`.
    """
    _, warnings = choose_format(params.output_format, ("svg",), "svg", "drawing")
    svg = raw.arrays["svg"].tobytes()
    if len(svg) > MAX_SVG_BYTES:
        raise EncodeFailed(f"The SVG has {len(svg)} bytes, and one at most {MAX_SVG_BYTES}; ask for less `detail`.")
    try:
        paths = len(read_shapes(svg))
    except ValueError as error:
        raise EncodeFailed(f"The SVG was not kept, since it is more than shapes: {error}.") from error
    if paths > MAX_PATHS:
        raise EncodeFailed(f"The SVG has {paths} paths, and one at most {MAX_PATHS}; ask for less `detail`.")
    (folder / "0.svg").write_bytes(svg)
    width, height = (int(str(raw.metadata[side])) for side in ("width", "height"))
    return Outputs(files=(Output(path="0.svg", media_type=MEDIA_TYPE, width=width, height=height),), warnings=warnings)
