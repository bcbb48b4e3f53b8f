"""Blocks come and leave; on the CPU by the code that a GPU uses, where both memories are the same."""

import pytest
import torch
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.memory.block_offload import offload_blocks


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleList([nn.Linear(8, 8)])
        self.register_buffer("steps", torch.ones(8))
        self.seen: list[int] = []

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self.seen.append(self.inner[0].weight.data_ptr())
        if values.isnan().any():
            raise MemoryError
        return self.inner[0](values) + self.steps


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.body = nn.ModuleDict({"layers": nn.ModuleList(Block() for _ in range(3))})

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        values = self.first(values)
        for block in self.body["layers"]:
            values = block(values)
        return values


@pytest.fixture
def net() -> Net:
    torch.manual_seed(3)
    return Net().requires_grad_(False)


def blocks(net: Net) -> list[Block]:
    return list(net.body["layers"])  # type: ignore[arg-type]


def places(net: Net) -> list[int]:
    return [block.inner[0].weight.data_ptr() for block in blocks(net)]  # type: ignore[union-attr]


def test_it_computes_the_same_with_weights_that_come_and_leave(net: Net) -> None:
    values = torch.ones(2, 8)
    before = net(values)
    offload_blocks(net, "cpu")
    masters = places(net)
    assert all(torch.equal(before, net(values)) for _ in range(2))

    assert masters == places(net)
    for block, master in zip(blocks(net), masters, strict=True):
        assert 3 == len(block.seen)
        assert master not in block.seen[1:]


def test_the_rest_stays_and_blocks_are_not_in_it(net: Net) -> None:
    place = net.first.weight.data_ptr()
    rest = offload_blocks(net, "cpu")
    net(torch.ones(2, 8))
    assert {id(net.first.weight), id(net.first.bias)} == {id(one) for one in rest.parameters()}
    assert place == net.first.weight.data_ptr()


def test_a_block_that_fails_leaves_too(net: Net) -> None:
    offload_blocks(net, "cpu")
    masters = places(net)
    with pytest.raises(MemoryError):
        net(torch.full((2, 8), torch.nan))
    assert masters == places(net)


def test_blocks_that_share_weights_are_refused(net: Net) -> None:
    first, second, _ = blocks(net)
    second.inner = first.inner
    with pytest.raises(ModelLoadFailed, match="share weights"):
        offload_blocks(net, "cpu")
