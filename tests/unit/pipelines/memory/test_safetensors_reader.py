"""Tensors out of safetensors files, by plain reads: the same as the library's own, or an error that names the file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors.failures import ModelLoadFailed
from pipelines.memory import safetensors_reader
from pipelines.memory.safetensors_reader import plan_reads, read_index, read_values

TENSORS = {
    "odd": torch.arange(7, dtype=torch.uint8),
    "truth": torch.tensor([True, False, True]),
    "low": torch.linspace(-3, 3, 33).bfloat16(),
    "half": torch.linspace(-3, 3, 5).half(),
    "picture": torch.arange(2 * 3 * 5, dtype=torch.float32).view(2, 3, 5),
    "double": torch.linspace(0, 1, 9, dtype=torch.float64),
    "one": torch.tensor(7.5),
    "none": torch.empty(0, 4),
    "steps": torch.arange(11),
    "eighth": torch.linspace(-1, 1, 6).to(torch.float8_e4m3fn),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "vae" / "model.safetensors"
    found.parent.mkdir()
    save_file(TENSORS, found, metadata={"format": "pt"})
    return found


def read(file: Path, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
    found = {}
    for one in read_index([file]):
        flat = torch.empty(one.numel, dtype=dtype or one.dtype)
        for first, count in plan_reads(one):
            read_values(one, first, flat[first : first + count])
        found[one.name] = flat.view(one.shape)
    return found


@pytest.mark.parametrize("chunk", [16, 40, safetensors_reader.READ_BYTES])
def test_every_value_is_the_librarys_whatever_is_read_at_once(
    file: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safetensors_reader, "READ_BYTES", chunk)
    found, expected = read(file), load_file(file)

    assert TENSORS.keys() == found.keys() == expected.keys()
    for name, tensor in found.items():
        assert expected[name].dtype == tensor.dtype
        assert expected[name].shape == tensor.shape
        assert torch.equal(expected[name].float(), tensor.float())


def test_they_come_in_the_order_of_their_bytes(file: Path) -> None:
    starts = [one.start for one in read_index([file])]

    assert sorted(starts) == starts
    assert file.stat().st_size == max(one.start + one.numel * one.dtype.itemsize for one in read_index([file]))


def test_numbers_are_converted_as_torch_does(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors_reader, "READ_BYTES", 16)

    found = read(file, torch.float16)

    assert all(torch.equal(TENSORS[name].to(torch.float16), tensor) for name, tensor in found.items())


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"more")


def pickle(file: Path) -> None:
    torch.save({"a": torch.zeros(1)}, file)


def reach_beyond_the_end(file: Path) -> None:
    """A header that says that the last tensor is larger than the file."""
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    last = max((one for name, one in header.items() if name != "__metadata__"), key=lambda one: one["data_offsets"][1])
    last["data_offsets"][1] += 2**20
    changed = json.dumps(header).encode()
    file.write_bytes(len(changed).to_bytes(8, "little") + changed + data[8 + size :])


@pytest.mark.parametrize("spoil", [cut, lengthen, pickle, reach_beyond_the_end, Path.unlink])
def test_a_broken_file_is_refused_before_a_tensor_is_read(file: Path, spoil: Callable[[Path], None]) -> None:
    spoil(file)

    with pytest.raises(
        ModelLoadFailed, match=r"vae/model\.safetensors is missing or is not a complete safetensors file"
    ):
        list(read_index([file]))


def test_a_file_that_became_shorter_meanwhile_is_refused(file: Path) -> None:
    last = list(read_index([file]))[-1]
    cut(file)

    with pytest.raises(ModelLoadFailed, match=r"vae/model\.safetensors"):
        read_values(last, 0, torch.empty(last.numel, dtype=last.dtype))


def test_numbers_of_an_unknown_kind_are_refused(file: Path) -> None:
    save_file({"spin": torch.zeros(3, dtype=torch.complex64)}, file)

    with pytest.raises(ModelLoadFailed, match=r"vae/model\.safetensors has tensors of the unknown type 'C64'"):
        list(read_index([file]))
