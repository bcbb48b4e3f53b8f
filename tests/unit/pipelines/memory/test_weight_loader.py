"""From files onto a device: on the CPU by the code that a GPU uses, where there are staging blocks."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.memory import pinned_pool, safetensors_reader, weight_loader
from pipelines.memory.chunks import ALIGNMENT, HostBlock, storage_address
from pipelines.memory.offload import Offload
from pipelines.memory.pinned_pool import FreshMemory, PinnedPool
from pipelines.memory.safetensors_reader import read_index
from pipelines.memory.staging import StagingBlocks
from pipelines.memory.weight_loader import WeightLoader, convert_floats_to
from tests.support.checkpoints.wrapped import ScaledTensor
from tests.support.gpu_worker.cudart import Cudart
from tests.support.wait import until


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
    assert [] == loader.uploaded


@pytest.mark.parametrize("chunk", [1024, 2**20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("sent", [False, True])
def test_what_is_sent_is_a_copy_with_the_same_values(file: Path, chunk: int, dtype: torch.dtype, sent: bool) -> None:
    staging = StagingBlocks(4096)
    loader = WeightLoader("cpu", staging=staging, chunk=chunk)
    net = uploaded(loader, file, dtype, sent=sent)

    assert is_as_in_the_file(net, dtype)
    assert net.head.weight is net.embed.weight
    places = {storage_address(tensor) for tensor in values(net).values()}
    assert {storage_address(one) for one in loader.uploaded} == places
    assert not places & {storage_address(block.memory) for block in staging.blocks}


def test_a_tensor_that_is_larger_than_a_block_passes_in_parts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors_reader, "READ_BYTES", 512)
    net = uploaded(WeightLoader("cpu", staging=StagingBlocks(1024)), file)

    assert is_as_in_the_file(net)


@pytest.mark.parametrize("sent", [False, True])
def test_float8_wrapped_by_a_library_lies_in_the_chunk(tmp_path: Path, sent: bool) -> None:
    weight = ScaledTensor.of(torch.randn(16, 16, generator=torch.Generator().manual_seed(3)))
    save_file({"values": weight.values, "scale": weight.scale}, tmp_path / "model.safetensors")
    loader = WeightLoader("cpu", staging=StagingBlocks(4096))
    read = loader.read([tmp_path / "model.safetensors"], lambda _, stored: stored, sent=sent)
    net = nn.Linear(16, 16, bias=False)
    net.weight = nn.Parameter(ScaledTensor(read["values"], read["scale"]), requires_grad=False)
    found = loader.to_device(net).weight

    assert isinstance(found, ScaledTensor)
    assert torch.equal(weight.values.float(), found.values.float())
    assert torch.equal(weight.scale, found.scale)
    assert torch.float8_e4m3fn == found.values.dtype
    assert {storage_address(found.values), storage_address(found.scale)} == {storage_address(loader.uploaded[0])}


def test_float8_is_read_in_another_precision(tmp_path: Path) -> None:
    stored = torch.randn(16, 16, generator=torch.Generator().manual_seed(3)).to(torch.float8_e4m3fn)
    save_file({"weight": stored}, tmp_path / "model.safetensors")
    read = WeightLoader("cpu").read([tmp_path / "model.safetensors"], convert_floats_to(torch.bfloat16))

    assert torch.equal(stored.to(torch.bfloat16), read["weight"])


def test_tensors_lie_as_a_gpus_allocator_would_lay_them(file: Path) -> None:
    sent, stays = (
        WeightLoader("cpu", staging=staging).read([file], convert_floats_to(torch.float32), as_mapped=True)
        for staging in (StagingBlocks(2**16), None)
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


def test_two_blocks_serve_any_number_of_chunks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`meta` is a device without memory: what was read is no longer needed once it was sent there."""
    made = list[int]()

    def block(size: int) -> HostBlock:
        made.append(size)
        return HostBlock(size)

    for module in ("staging", "weight_loader"):
        monkeypatch.setattr(f"pipelines.memory.{module}.HostBlock", block)
    loader = WeightLoader("meta", staging=StagingBlocks(1024), chunk=512)
    save_file({f"{number}": torch.ones(64) for number in range(3)}, file)
    for _ in range(2):
        read = loader.read([file], convert_floats_to(torch.float32))
        assert {"meta"} == {tensor.device.type for tensor in read.values()}
        loader.to_device(nn.Module())

    assert [1024] * 2 == made
    assert 6 == len(loader.uploaded)


def test_a_block_is_read_into_again_once_it_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = list[str]()
    copies = iter(range(9))

    def pending_copies(device: torch.device) -> Callable[[], None]:
        number = next(copies)
        return lambda: steps.append(f"arrived {number}")

    monkeypatch.setattr("pipelines.memory.staging._pending_copies", pending_copies)
    staging = StagingBlocks(8)
    for number in range(4):
        staging.take(8)
        steps.append(f"read {number}")
        staging.send(torch.empty(8, dtype=torch.uint8))

    assert ["read 0", "read 1", "arrived 0", "read 2", "arrived 1", "read 3"] == steps


def test_nothing_is_pinned_between_reads(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is made up: it takes its time to pin, and a block is wanted of it all the while."""
    steps, pinned, read_values = list[str](), threading.Event(), weight_loader.read_values

    def read(*arguments: Any) -> None:
        steps.append("read")
        pool.want([512])
        time.sleep(0.02)
        read_values(*arguments)

    Cudart.install(monkeypatch, lambda: steps.append("pin"), seconds=0.02)
    monkeypatch.setattr(weight_loader, "read_values", read)
    monkeypatch.setattr(safetensors_reader, "READ_BYTES", 512)
    monkeypatch.setattr(pinned_pool, "STEP_BYTES", 512)
    staging = StagingBlocks(1024)
    pool = PinnedPool("cuda:0", 512, staging=staging.blocks, on_ready=pinned.set)
    with pool.idle():
        until(lambda: ["pin"] * 2 == steps)
        with pool.undisturbed():
            assert is_as_in_the_file(uploaded(WeightLoader("cpu", staging=staging), file))
        assert pinned.wait(10)

    reads = steps.count("read")
    assert reads > 4
    assert ["pin"] * 2 + ["read"] * reads + ["pin"] == steps


class TestParked:
    """The master copy is made after the load."""

    def offloadable(self, file: Path, chunk: int = 2**20) -> tuple[Net, Offload]:
        loader = WeightLoader("cpu", staging=StagingBlocks(4096), chunk=chunk)
        net = uploaded(loader, file)
        return net, Offload([net], "cpu", uploaded=loader.uploaded)

    def test_it_is_made_a_chunk_at_a_time(self, file: Path) -> None:
        net, offload = self.offloadable(file, chunk=1024)
        sizes = [offload.host_bytes]
        while not offload.has_master:
            assert offload.copy_chunk()
            sizes.append(offload.host_bytes)
        assert 0 == sizes[0]
        assert sizes == sorted(set(sizes))
        assert offload.bytes == sizes[-1]
        assert len(sizes) > 2
        offload.offload()

        assert is_as_in_the_file(net)

    def test_what_is_missing_is_made_when_it_leaves(self, file: Path) -> None:
        net, offload = self.offloadable(file, chunk=1024)
        assert offload.copy_chunk()
        assert not offload.has_master
        offload.offload()
        assert offload.has_master

        assert is_as_in_the_file(net)

    def test_it_comes_back_with_what_was_in_no_file(self, file: Path) -> None:
        net, offload = self.offloadable(file, chunk=1024)
        assert sum(tensor.numel() * 4 for tensor in (*values(net).values(), net.steps)) == offload.bytes
        for _ in range(2):
            offload.offload()
            offload.restore()

        assert is_as_in_the_file(net)
        assert net.head.weight is net.embed.weight
        assert torch.equal(torch.arange(9.0), net.steps)

    def test_where_it_was_read_it_can_leave_too(self, file: Path) -> None:
        net = uploaded(WeightLoader("cpu"), file)
        offload = Offload([net], "cpu")
        offload.offload()
        offload.restore()

        assert is_as_in_the_file(net)

    def test_a_chunk_that_is_mostly_unused_is_freed(self, file: Path) -> None:
        loader = WeightLoader("cpu", staging=StagingBlocks(4096))
        net = uploaded(loader, file)
        net.embed.weight = net.head.weight = nn.Parameter(torch.ones(50, 16))
        chunks = [weakref.ref(one.untyped_storage()) for one in loader.uploaded]
        left = {storage_address(one) for one in loader.uploaded}
        Offload([net], "cpu", uploaded=loader.uploaded)
        del loader
        gc.collect()

        assert [None] == [chunk() for chunk in chunks]
        assert not left & {storage_address(tensor) for tensor in net.state_dict().values()}
        assert torch.equal(tensors()["inner.weight"], net.inner.weight)

    def test_without_memory_that_is_ready_it_stays_on_the_device(self, file: Path) -> None:
        class FullMemory(FreshMemory):
            wanted: ClassVar[list[int]] = []

            def want(self, sizes: Sequence[int]) -> None:
                self.wanted[:] = sizes

            def borrow(self, sizes: Sequence[int]) -> list[HostBlock]:
                raise MemoryError

        loader = WeightLoader("cpu", staging=StagingBlocks(4096), chunk=1024)
        net = uploaded(loader, file)
        offload = Offload([net], "cpu", uploaded=loader.uploaded, host_memory=FullMemory("cpu"))
        assert not offload.copy_chunk()
        assert len(FullMemory.wanted) > 1
        with pytest.raises(MemoryError):
            offload.offload()

        assert is_as_in_the_file(net)
        assert not offload.has_master

    def test_what_was_forgotten_is_made_anew(self, file: Path) -> None:
        net, offload = self.offloadable(file)
        offload.offload()
        offload.restore()
        offload.drop()
        assert not offload.has_master
        offload.offload()
        offload.restore()

        assert is_as_in_the_file(net)
