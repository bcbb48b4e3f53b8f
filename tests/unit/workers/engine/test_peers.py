"""Peers that cannot be started; none is."""

import pytest

from core.errors.failures import ModelLoadFailed
from pipelines.weights.hash_cache import HashCache
from workers.engine.peers import Peers


def test_a_gpu_that_is_named_twice_is_refused_each_time() -> None:
    peers = Peers(("cuda:1", "cuda:0"), HashCache())
    assert 3 == peers.ranks
    for _ in range(2):
        with pytest.raises(ModelLoadFailed, match="name a GPU twice"):
            peers.start("cuda:0")
