from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.support.checkpoints import tiny_triposg
from tests.support.checkpoints.triposg_reference import Tensors


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint in the published layout; read only."""
    return tiny_triposg.save(tmp_path_factory.mktemp("weights") / "triposg")


@pytest.fixture(scope="session")
def transformer_tensors(checkpoint: Path) -> Tensors:
    return _arrays(checkpoint / "transformer")


@pytest.fixture(scope="session")
def vae_tensors(checkpoint: Path) -> Tensors:
    return _arrays(checkpoint / "vae")


def _arrays(folder: Path) -> Tensors:
    tensors = load_file(folder / "diffusion_pytorch_model.safetensors")
    return {name: np.asarray(tensor.to(torch.float64)) for name, tensor in tensors.items()}
