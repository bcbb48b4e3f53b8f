"""The demo models that a target of make unpacks."""

from pathlib import Path

import pytest

from pipelines.weights.verify import weights_folder

TARGETS = {
    "demo-smollm2": ("setup", "model.safetensors"),
    "demo-kokoro": ("setup", "model.onnx"),
    "demo-minilm": ("setup", "model.safetensors"),
    "demo-whisper-tiny-en": ("transcripts", "model.safetensors"),
    "demo-labels": ("descriptions", "model.safetensors"),
    "demo-words": ("words", "model.safetensors"),
}
"""By the folder of a model: what brings it, and the file that it then has."""


def unpacked_model(name: str, *, required: bool) -> Path:
    """The folder of a model. Where it is not there, the test fails if it is required, and is skipped if not."""
    target, file = TARGETS[name]
    folder = weights_folder("") / name
    if not (folder / file).is_file():
        reason = f"{name} is not unpacked: run `make {target}`"
        pytest.fail(reason) if required else pytest.skip(reason)
    return folder
