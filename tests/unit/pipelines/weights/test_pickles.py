from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipelines.weights.hub import FetchError
from pipelines.weights.pickles import convert

WEIGHT = torch.arange(12.0).reshape(3, 4)


def converted(folder: Path, value: Any, **how: Any) -> dict[str, torch.Tensor]:
    torch.save(value, folder / "in.pt", **how)
    convert(folder / "in.pt", folder / "out.safetensors")
    return load_file(folder / "out.safetensors")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "the format before 1.6"])
def test_nested_names_are_joined_by_dots(tmp_path: Path, zipped: bool) -> None:
    value = {"t3": {"emb": WEIGHT, "nothing": None}, "parts": [WEIGHT, WEIGHT.int()]}

    found = converted(tmp_path, value, _use_new_zipfile_serialization=zipped)

    assert {"t3.emb", "parts.0", "parts.1"} == found.keys()
    assert torch.equal(WEIGHT, found["t3.emb"])
    assert torch.int32 == found["parts.1"].dtype


def test_numbers_become_tensors_without_axes(tmp_path: Path) -> None:
    found = converted(tmp_path, {"a": 0.1, "b": 3, "c": True})

    assert (0.1, 3, True) == (found["a"].item(), found["b"].item(), found["c"].item())
    assert () == found["a"].shape


def test_views_of_one_storage_and_transposed_ones(tmp_path: Path) -> None:
    found = converted(tmp_path, {"all": WEIGHT, "row": WEIGHT[1], "turned": WEIGHT.T})

    assert torch.equal(WEIGHT[1], found["row"])
    assert torch.equal(WEIGHT.T, found["turned"])


def test_a_single_tensor(tmp_path: Path) -> None:
    assert torch.equal(WEIGHT, converted(tmp_path, WEIGHT)["tensor"])


def test_who_may_read_the_pickle_may_read_what_became_of_it(tmp_path: Path) -> None:
    torch.save(WEIGHT, tmp_path / "in.pt")
    (tmp_path / "in.pt").chmod(0o644)
    convert(tmp_path / "in.pt", tmp_path / "out.safetensors")

    assert 0o644 == (tmp_path / "out.safetensors").stat().st_mode & 0o777


def test_the_same_tensors_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    converted(tmp_path, {"a": WEIGHT, "b": WEIGHT.half()})
    first = (tmp_path / "out.safetensors").read_bytes()
    converted(tmp_path, {"b": WEIGHT.half(), "a": WEIGHT})

    assert first == (tmp_path / "out.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": {"b": "text"}}, "a.b is str, not a tensor"),
        ({"a": None}, "holds no tensors"),
        ({"a": Path("x")}, "other objects than tensors"),
    ],
)
def test_what_is_no_tensor_is_refused(tmp_path: Path, value: Any, says: str) -> None:
    with pytest.raises(FetchError, match=says):
        converted(tmp_path, value)
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and then nothing", b"\x80\x02garbage", b"no pickle at all"])
def test_what_is_damaged_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "in.pt").write_bytes(data)

    with pytest.raises(FetchError, match="refused: the pickle holds other objects"):
        convert(tmp_path / "in.pt", tmp_path / "out.safetensors")


def test_two_names_that_become_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"holds a\.b twice"):
        converted(tmp_path, {"a.b": WEIGHT, "a": {"b": WEIGHT}})
