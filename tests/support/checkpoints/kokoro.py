"""Whether `make setup` has unpacked the demo voice, without which its tests say so and are left out."""

import pytest

from pipelines.speech.unpack import FOLDER
from pipelines.weights.verify import weights_folder


def needs_kokoro() -> None:
    """Skip the test where the weights are not there."""
    if not (weights_folder("") / FOLDER / "model.onnx").is_file():
        pytest.skip("the demo voice is not unpacked: run `make setup`")
