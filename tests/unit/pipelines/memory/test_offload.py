"""Weights leave the device and come back as they were, on the CPU by the code that a GPU uses."""

from collections.abc import Iterable, Sequence

import pytest
import torch
from torch import nn

from pipelines.memory import offload as offload_module
from pipelines.memory.chunks import ALIGNMENT, HostBlock
from pipelines.memory.offload import Offload
from pipelines.memory.pinned_pool import FreshMemory
from tests.support.checkpoints.wrapped import ScaledTensor


class Net(nn.Module):
    """Tied weights, a buffer, an odd precision, weights in channels-last order, and one larger than a piece."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.embed = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.embed.weight
        self.view = nn.Parameter(self.embed.weight.data)
        self.conv = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
        self.low = nn.Parameter(torch.randn(7, generator=generator).bfloat16())
        self.large = nn.Parameter(torch.randn(40, 40, generator=generator))
        self.register_buffer("steps", torch.arange(9), persistent=False)

    def forward(self) -> tuple[torch.Tensor, ...]:
        image = torch.ones(1, 3, 8, 8)
        return self.head(self.embed.weight[:4]), self.conv(image), self.low * 2, self.large @ self.large, self.steps


def parked(net: nn.Module, chunk: int = 4096) -> Offload:
    return Offload([net], "cpu", chunk)


def storages(net: nn.Module) -> set[int]:
    return {tensor.untyped_storage().data_ptr() for tensor in (*net.parameters(), *net.buffers())}


def same(one: tuple[torch.Tensor, ...], other: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@torch.no_grad()
def test_it_computes_the_same_after_any_number_of_ways() -> None:
    net = Net()
    before, strides = net(), net.conv.weight.stride()
    offload = parked(net)
    for _ in range(3):
        offload.offload()
        offload.restore()

    assert same(before, net())
    assert strides == net.conv.weight.stride()
    assert net.conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_the_master_is_made_once_and_is_not_what_computes() -> None:
    net = Net()
    offload = parked(net)
    assert not offload.has_master
    offload.offload()
    assert offload.has_master
    master = storages(net)
    offload.restore()

    assert not master & storages(net)
    offload.offload()
    assert master == storages(net)


@pytest.mark.parametrize("has_master", [False, True])
@torch.no_grad()
def test_weights_left_in_another_precision_come_back(has_master: bool) -> None:
    """A pipeline that takes a part to float32 for a while, and fails meanwhile."""
    net = Net().half()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    strides = net.conv.weight.stride()
    offload = parked(net)
    if has_master:
        offload.offload()
        offload.restore()
    net.float()
    net.conv.to(memory_format=torch.contiguous_format)
    offload.offload()
    offload.restore()

    after = net.state_dict()
    assert all(torch.equal(before[name], value) and before[name].dtype == value.dtype for name, value in after.items())
    assert strides == net.conv.weight.stride()


def test_weights_that_share_memory_still_share_it() -> None:
    net = Net()
    offload = parked(net)
    offload.offload()
    offload.restore()

    assert net.head.weight is net.embed.weight
    assert net.view.data_ptr() == net.embed.weight.data_ptr()


def test_each_tensor_is_counted_once() -> None:
    sizes = [50 * 16 * 4, 5 * 3 * 9 * 4, 5 * 4, 7 * 2, 40 * 40 * 4, 9 * 8]

    assert sum(sizes) == parked(Net()).bytes


def test_pieces_have_room_and_a_large_tensor_has_its_own() -> None:
    net = Net()
    offload = parked(net, chunk=4096)
    offload.offload()
    sizes = sorted(
        tensor.untyped_storage().nbytes() for tensor in {id(t.untyped_storage()): t for t in net.parameters()}.values()
    )

    assert 40 * 40 * 4 <= sizes[-1] < 40 * 40 * 4 + ALIGNMENT
    assert all(tensor.data_ptr() % tensor.element_size() == 0 for tensor in net.parameters())


def test_after_it_was_forgotten_the_next_way_makes_a_new_one() -> None:
    net = Net()
    offload = parked(net)
    offload.offload()
    offload.restore()
    offload.drop()
    assert not offload.has_master
    with torch.no_grad():
        net.low += 1
        expected = net()
    offload.offload()
    offload.restore()

    assert same(expected, net())


def test_blocks_of_a_copy_that_fails_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(FreshMemory):
        def borrow(self, sizes: Sequence[int]) -> list[HostBlock]:
            blocks = super().borrow(sizes)
            lent.extend(blocks)
            return blocks

        def give_back(self, blocks: Iterable[HostBlock]) -> None:
            for block in blocks:
                lent.remove(block)

    def fail(device: torch.device) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    lent: list[HostBlock] = []
    offload = Offload([Net()], "cpu", host_memory=Counted("cpu"))
    monkeypatch.setattr(offload_module, "synchronize", fail)
    with pytest.raises(RuntimeError, match="illegal"):
        offload.copy_chunk()
    assert ([], 0) == (lent, offload.host_bytes)


def test_a_weight_that_is_no_number_is_found() -> None:
    net = Net()
    offload = parked(net)
    assert offload.is_finite()
    with torch.no_grad():
        net.low[3] = float("nan")

    assert not offload.is_finite()


class TestQuantized:
    """Weights that are wrappers around float8 values and scales, as torchao makes them."""

    @pytest.fixture
    def net(self) -> nn.Module:
        net = nn.Sequential(nn.Linear(16, 32), nn.Linear(32, 16)).requires_grad_(False)
        for part in net:
            part.weight = nn.Parameter(ScaledTensor.of(part.weight), requires_grad=False)
        return net

    def test_they_compute_the_same_after_any_number_of_ways(self, net: nn.Module) -> None:
        image = torch.ones(3, 16)
        before, offload = net(image), parked(net)
        places = set[int]()
        for _ in range(2):
            offload.offload()
            places.add(net[0].weight.values.untyped_storage().data_ptr())
            offload.restore()

        assert torch.equal(before, net(image))
        assert 1 == len(places)
        assert net[0].weight.values.untyped_storage().data_ptr() not in places
        assert torch.float8_e4m3fn == net[0].weight.values.dtype
        assert 2 * 16 * 32 + (32 + 16) * 4 + 2 * 4 == offload.bytes

    def test_weights_that_every_pass_casts_come_back_too(self) -> None:
        """Layerwise casting, as diffusers does it."""
        net = nn.Linear(16, 32).requires_grad_(False).to(torch.float8_e4m3fn)
        net.register_forward_pre_hook(lambda *_: net.float() and None)
        net.register_forward_hook(lambda *_: net.to(torch.float8_e4m3fn) and None)
        offload, image = parked(net), torch.ones(3, 16)
        before = net(image)
        for _ in range(2):
            offload.offload()
            offload.restore()
            assert torch.float8_e4m3fn == net.weight.dtype
            assert torch.equal(before, net(image))
        assert offload.is_finite()

    @pytest.mark.parametrize("part", ["values", "scale"])
    def test_one_that_is_no_number_is_found(self, net: nn.Module, part: str) -> None:
        offload = parked(net)
        assert offload.is_finite()
        getattr(net[1].weight, part).view(-1)[-1:].fill_(float("nan"))
        assert not offload.is_finite()
