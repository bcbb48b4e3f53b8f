"""Inputs of the small run that precedes a model's first job: the first run is the slowest. No torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Inputs

PROMPT = "a gray image"
STEPS = 2
"""Two steps: the second one shows a step with everything ready, and some schedules have no single step."""


@contextmanager
def minimal_inputs(spec: ModelSpec) -> Iterator[Inputs]:
    """Provide the inputs that the model requires while the block runs: a gray image, or nothing."""
    if {"text-to-image", "text-to-video"} & set(spec.capabilities):
        yield Inputs()
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "gray.png"
        Image.new("RGB", (spec.defaults.width, spec.defaults.height), "gray").save(file)
        yield Inputs({"input_image": file})
