"""Vectors as a file; runs in the encoder process."""

from pathlib import Path

import msgspec

from jobs.params.text import EmbeddingParams
from pipelines.runtime.output_format import choose_format
from pipelines.runtime.protocol import Output, Outputs, RawOutput


def encode(raw: RawOutput, params: EmbeddingParams, folder: Path) -> Outputs:
    """Write `0.json`: the count of `dimensions`, and `vectors` in the order of the texts."""
    _, warnings = choose_format(params.output_format, ("json",), "json", "vector")
    vectors = raw.arrays["vectors"]
    content = {"dimensions": vectors.shape[1], "vectors": [[float(f"{one:.7g}") for one in row] for row in vectors]}
    (folder / "0.json").write_bytes(msgspec.json.encode(content) + b"\n")
    return Outputs(files=(Output(path="0.json", media_type="application/json"),), warnings=warnings)
