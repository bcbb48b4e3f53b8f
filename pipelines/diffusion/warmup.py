"""The first run of a model is its slowest: a small one before the first job. No torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Inputs

PROMPT = "a grey picture"
STEPS = 2
"""The second shows what a step is when everything is ready, and some schedules have no single one."""


@contextmanager
def least_inputs(spec: ModelSpec) -> Iterator[Inputs]:
    """What the model can not do without, for as long as the block runs: a grey picture, or nothing."""
    if {"text-to-image", "text-to-video"} & set(spec.capabilities):
        yield Inputs()
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "grey.png"
        Image.new("RGB", (spec.defaults.width, spec.defaults.height), "grey").save(file)
        yield Inputs({"input_image": file})
