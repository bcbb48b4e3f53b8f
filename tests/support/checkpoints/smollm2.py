"""Whether `make setup` has unpacked the demo language model, without which its tests say so and are left out."""

import pytest

from pipelines.text.unpack import FOLDER
from pipelines.weights.verify import weights_folder


def needs_smollm2() -> None:
    """Skip the test where the weights are not there."""
    if not (weights_folder("") / FOLDER / "model.safetensors").is_file():
        pytest.skip("the demo language model is not unpacked: run `make setup`")
