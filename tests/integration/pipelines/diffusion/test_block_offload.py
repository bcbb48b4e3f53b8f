"""Models whose blocks are in host memory between their turns, with tiny checkpoints: the pixels are the same."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.memory.chunks import tensors_of
from pipelines.memory.offload import Offload
from tests.support.checkpoints.image_runs import loaded, run


@pytest.mark.matrix
@pytest.mark.parametrize("name", ["sdxl", "zimage", "qwenimage", "flux2klein"])
def test_pixels_are_those_of_the_model_in_one_piece(weights_dir: Path, name: str) -> None:
    whole, blocks = loaded(name, weights_dir), loaded(name, weights_dir, offload_blocks=True)
    expected, found = (run(pipeline, 7).arrays["0"] for pipeline in (whole, blocks))

    assert np.array_equal(expected, found)
    resident, everything = (sum(one.numel() for one in tensors_of(each.modules)) for each in (blocks, whole))  # type: ignore[attr-defined]
    assert 0 < resident < 0.95 * everything
    rest = Offload(blocks.modules, "cpu")  # type: ignore[attr-defined]
    rest.offload()
    rest.restore()
    assert np.array_equal(expected, run(blocks, 7).arrays["0"])


def test_only_the_block_that_computes_is_on_the_device(weights_dir: Path) -> None:
    pipe = loaded("zimage", weights_dir, offload_blocks=True).pipe  # type: ignore[attr-defined]
    blocks = [block for part in (pipe.transformer.layers, pipe.text_encoder.layers) for block in part]
    masters = [place(block) for block in blocks]
    seen: list[int] = []

    def look(block: torch.nn.Module, *_: object) -> None:
        seen.append(sum(place(one) != master for one, master in zip(blocks, masters, strict=True)))

    for block in blocks:
        block.register_forward_pre_hook(look)
    pipe("a red apple", height=64, width=64, num_inference_steps=2, generator=torch.Generator().manual_seed(1))

    assert {1} == set(seen)
    assert len(seen) >= len(blocks) + 2
    assert masters == [place(block) for block in blocks]


def place(block: torch.nn.Module) -> int:
    return next(block.parameters()).data_ptr()
