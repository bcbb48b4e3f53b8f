"""These tests need the worker's packages (torch, transformers, scikit-image, trimesh)."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

NEEDED = ("torch", "transformers", "skimage", "trimesh")
collect_ignore_glob = [] if all(map(find_spec, NEEDED)) else ["*test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower on two threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
