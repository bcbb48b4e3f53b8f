"""One thread of torch, for models that are small beside what their threads cost."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread(device: str) -> Iterator[None]:
    """Compute with one thread on a CPU.

    A token, or a small picture, is too little work to share: on a busy machine threads that wait for one another made
    it 15 times slower.
    """
    before = torch.get_num_threads()
    try:
        if device == "cpu":
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)
