"""Tiny checkpoints for the tests of pipelines."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus

from pipelines.runtime.protocol import Inputs
from tests.support.checkpoints import tiny_checkpoints
from tests.support.checkpoints.image_runs import save_image


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower on two threads, many times so while another process uses the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def small_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Qwen's editor enlarges each reference to a megapixel for its VAE, which is most of what a tiny one computes."""
    monkeypatch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", 256 * 256)


@pytest.fixture(scope="session")
def weights_dir(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights directory with one tiny checkpoint per family of `tiny_checkpoints`."""
    folder = tmp_path_factory.mktemp("weights")
    for name in tiny_checkpoints.BUILDERS:
        tiny_checkpoints.save(name, folder / name)
    return folder


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """One image to look at."""
    file = save_image(tmp_path_factory.mktemp("pictures") / "a.png", 96, 64)
    return Inputs({"reference_images.0": file})
