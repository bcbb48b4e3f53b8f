"""From files onto a device: on the CPU by the code that a GPU uses, but for the copy where nothing is kept."""

import gc
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.errors import ModelLoadFailed
from pipelines.memory.chunks import ALIGNMENT, HostBlock, storage_address
from pipelines.memory.offload import Offload
from pipelines.memory.safetensors_reader import read_index
from pipelines.memory.weight_loader import WeightLoader, convert_floats_to


class Net(nn.Module):
    """Weights of a file, tied ones among them, and a buffer that is in none."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 50, bias=False)
        self.inner = nn.Linear(16, 16)
        self.register_buffer("steps", torch.arange(9.0), persistent=False)


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = {"embed.weight": (50, 16), "inner.weight": (16, 16), "inner.bias": (16,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_file(tensors(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def uploaded(loader: WeightLoader, file: Path, dtype: torch.dtype = torch.float32, *, sent: bool = True) -> Net:
    net = Net()
    net.load_state_dict(loader.read([file], convert_floats_to(dtype), sent=sent), strict=False, assign=True)
    net.head.weight = net.embed.weight
    return loader.to_device(net)


def values(net: Net) -> dict[str, torch.Tensor]:
    return {name: value for name, value in net.state_dict().items() if name != "head.weight"}


def is_as_in_the_file(net: Net, dtype: torch.dtype = torch.float32) -> bool:
    expected = {name: tensor.to(dtype) for name, tensor in tensors().items()}
    found = values(net)
    return expected.keys() == found.keys() and all(torch.equal(expected[name], found[name]) for name in expected)


def test_on_the_cpu_weights_stay_where_they_were_read(file: Path) -> None:
    loader = WeightLoader("cpu")
    net = Net()
    read = loader.read([file], convert_floats_to(torch.float32))
    places = {name: tensor.data_ptr() for name, tensor in read.items()}
    net.load_state_dict(read, strict=False, assign=True)
    loader.to_device(net)

    assert places == {name: tensor.data_ptr() for name, tensor in values(net).items()}
    assert is_as_in_the_file(net)
    assert 0 == loader.host_bytes


@pytest.mark.parametrize("chunk", [1024, 2**20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("sent", [False, True])
def test_what_is_kept_is_a_copy_with_the_same_values(file: Path, chunk: int, dtype: torch.dtype, sent: bool) -> None:
    loader = WeightLoader("cpu", keep_host_copy=True, chunk=chunk)
    net = uploaded(loader, file, dtype, sent=sent)

    assert is_as_in_the_file(net, dtype)
    assert net.head.weight is net.embed.weight
    assert {storage_address(tensor) for tensor in values(net).values()} == {
        storage_address(one.on_device) for one in loader.uploaded
    }
    for one in loader.uploaded:
        assert one.host is not None
        assert storage_address(one.on_device) != storage_address(one.host.memory)
    assert loader.host_bytes >= sum(tensor.numel() * dtype.itemsize for tensor in values(net).values())


def test_tensors_lie_as_a_gpus_allocator_would_lay_them(file: Path) -> None:
    sent, stays = (
        WeightLoader("cpu", keep_host_copy=keep_host_copy).read(
            [file], convert_floats_to(torch.float32), as_mapped=True
        )
        for keep_host_copy in (True, False)
    )

    assert {0} == {tensor.storage_offset() * 4 % ALIGNMENT for tensor in sent.values()}
    starts = {one.name: one.start % ALIGNMENT for one in read_index([file])}
    assert starts == {name: tensor.storage_offset() * 4 % ALIGNMENT for name, tensor in stays.items()}


def test_tensors_that_nobody_wants_are_not_read(file: Path) -> None:
    read = WeightLoader("cpu").read([file], lambda name, stored: stored if name.startswith("inner") else None)

    assert ["inner.bias", "inner.weight"] == sorted(read)


def test_a_name_in_two_files_is_refused(file: Path, tmp_path: Path) -> None:
    save_file({"inner.bias": torch.zeros(16)}, tmp_path / "more.safetensors")

    with pytest.raises(ModelLoadFailed, match=r"has the tensor inner\.bias twice"):
        WeightLoader("cpu").read([file, tmp_path / "more.safetensors"], convert_floats_to(torch.float32))


@pytest.mark.parametrize(("sent", "most"), [(True, 2), (False, 4)])
def test_host_memory_that_is_not_kept_is_read_into_again(
    file: Path, sent: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`meta` is a device without memory: what was read is no longer needed once it was sent there."""
    made = list[int]()

    def block(size: int) -> HostBlock:
        made.append(size)
        return HostBlock(size)

    monkeypatch.setattr("pipelines.memory.weight_loader.HostBlock", block)
    loader = WeightLoader("meta", chunk=512)
    tensors = {f"{number}": torch.ones(64) for number in range(3)}
    save_file(tensors, file)
    for _ in range(2):
        read = loader.read([file], convert_floats_to(torch.float32), sent=sent)
        assert {"meta" if sent else "cpu"} == {tensor.device.type for tensor in read.values()}
        loader.to_device(nn.Module())

    assert [512] * most == made
    assert 6 == len(loader.uploaded)
    assert 0 == loader.host_bytes


class TestParked:
    """What was kept is the master copy."""

    def test_there_is_one_master_before_the_first_offload(self, file: Path) -> None:
        loader = WeightLoader("cpu", keep_host_copy=True)
        net = uploaded(loader, file)
        read = {storage_address(one.host.memory) for one in loader.uploaded if one.host is not None}
        offload = Offload([net], "cpu", uploaded=loader.uploaded)
        assert offload.has_master
        offload.offload()

        assert read == {storage_address(tensor) for tensor in values(net).values()}
        assert is_as_in_the_file(net)

    def test_it_comes_back_with_what_was_in_no_file(self, file: Path) -> None:
        loader = WeightLoader("cpu", keep_host_copy=True, chunk=1024)
        net = uploaded(loader, file)
        offload = Offload([net], "cpu", uploaded=loader.uploaded)
        assert sum(tensor.numel() * 4 for tensor in (*values(net).values(), net.steps)) == offload.bytes
        for _ in range(2):
            offload.offload()
            offload.restore()

        assert is_as_in_the_file(net)
        assert net.head.weight is net.embed.weight
        assert torch.equal(torch.arange(9.0), net.steps)

    def test_without_a_share_there_is_no_master_until_it_is_parked(self, file: Path) -> None:
        loader = WeightLoader("cpu")
        net = uploaded(loader, file)
        offload = Offload([net], "cpu", uploaded=loader.uploaded)
        assert not offload.has_master
        offload.offload()
        offload.restore()

        assert is_as_in_the_file(net)

    def test_a_chunk_that_is_mostly_unused_is_freed(self, file: Path) -> None:
        loader = WeightLoader("cpu", keep_host_copy=True)
        net = uploaded(loader, file)
        net.embed.weight = net.head.weight = nn.Parameter(torch.ones(50, 16))
        chunks = [weakref.ref(one.host) for one in loader.uploaded]
        left = {storage_address(one.on_device) for one in loader.uploaded}
        offload = Offload([net], "cpu", uploaded=loader.uploaded)
        del loader
        gc.collect()

        assert [None] == [chunk() for chunk in chunks]
        assert not left & {storage_address(tensor) for tensor in net.state_dict().values()}
        assert torch.equal(tensors()["inner.weight"], net.inner.weight)
        assert not offload.has_master

    def test_what_was_forgotten_is_made_anew(self, file: Path) -> None:
        loader = WeightLoader("cpu", keep_host_copy=True)
        net = uploaded(loader, file)
        offload = Offload([net], "cpu", uploaded=loader.uploaded)
        offload.drop()
        assert not offload.has_master
        offload.offload()
        offload.restore()

        assert is_as_in_the_file(net)
