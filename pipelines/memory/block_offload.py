"""Networks on a card that is smaller than they are: a block is on the device only while it computes.

Between its turns a block's weights are a master copy in pinned host memory (`pipelines.memory.offload`); it comes by
one copy a chunk and leaves by being pointed back. The copies do not overlap with computing.
"""

from collections.abc import Iterator

import torch
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.memory.chunks import tensors_of
from pipelines.memory.offload import Offload


class ResidentWeights(nn.Module):
    """The weights of a network that stay on the device: all but those of its blocks."""

    def __init__(self, weights: list[torch.Tensor]) -> None:
        super().__init__()
        for number, weight in enumerate(weights):
            if isinstance(weight, nn.Parameter):
                self.register_parameter(str(number), weight)
            else:
                self.register_buffer(str(number), weight)


def offload_blocks(network: nn.Module, device: str) -> ResidentWeights:
    """Offload every block of a network in host memory until it is called, and move the rest to `device`.

    Raises `ModelLoadFailed` for a network whose blocks share
    weights, and `MemoryError`.
    """
    blocks = list(blocks_of(network))
    inside = [tensor for block in blocks for tensor in tensors_of([block])]
    shared = len(inside) - len({id(tensor) for tensor in inside})
    outside = [tensor for tensor in tensors_of([network]) if id(tensor) not in {id(one) for one in inside}]
    if shared:
        raise ModelLoadFailed(f"Blocks of {type(network).__name__} share weights; remove `offload_blocks`.")
    for block in blocks:
        _offload(block, device)
    for tensor in outside:
        tensor.data = tensor.data.to(device)
    return ResidentWeights(outside)


def _offload(block: nn.Module, device: str) -> None:
    weights = Offload([block], device)
    weights.offload()
    block.register_forward_pre_hook(lambda *_: weights.restore())
    # Also after an error: else one that runs out of memory would keep it.
    block.register_forward_hook(lambda *_: weights.offload(), always_call=True)


def blocks_of(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the blocks of a network: the elements of its outermost module lists."""
    for part in network.children():
        if isinstance(part, nn.ModuleList):
            yield from part
        else:
            yield from blocks_of(part)
