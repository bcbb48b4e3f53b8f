"""Texts as files."""

import numpy as np
import pytest

from jobs.params.text import TextParams
from pipelines.runtime.protocol import RawOutput
from pipelines.text.encode import encode

WORDS = "Grüße, 世界"


@pytest.mark.parametrize(
    ("asked", "name", "media_type"), [("txt", "0.txt", "text/plain"), ("md", "0.md", "text/markdown")]
)
def test_a_text_is_a_file_of_its_bytes(tmp_path, asked, name, media_type):
    raw = RawOutput(arrays={"text": np.frombuffer(WORDS.encode(), np.uint8)})
    outputs = encode(raw, TextParams(prompt="a", output_format=asked), tmp_path)
    (file,) = outputs.files
    assert (name, media_type, ()) == (file.path, file.media_type, outputs.warnings)
    assert WORDS.encode() == (tmp_path / name).read_bytes()


def test_a_format_of_images_gives_a_text_with_a_warning(tmp_path):
    raw = RawOutput(arrays={"text": np.frombuffer(b"a", np.uint8)})
    outputs = encode(raw, TextParams(prompt="a", output_format="webp"), tmp_path)
    assert "0.txt" == outputs.files[0].path
    assert ("`output_format` webp is for images; this text is txt",) == outputs.warnings
