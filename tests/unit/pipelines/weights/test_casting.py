"""Safetensors in another precision: the same numbers as a load would make, and the same bytes every time."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipelines.catalog.spec import StoredAs
from pipelines.memory.weight_loader import WeightLoader, convert_floats_to
from pipelines.weights.casting import cast
from pipelines.weights.hub import FetchError

BFLOAT16 = StoredAs(files="*", dtype="bfloat16", float32=("norm", "scale_shift_table"))


@pytest.fixture
def published(tmp_path: Path) -> Path:
    made = {
        "blocks.0.weight": torch.randn(30, 7, generator=torch.Generator().manual_seed(1)),
        "blocks.0.norm.weight": torch.randn(7),
        "scale_shift_table": torch.randn(2, 3),
        "normal.weight": torch.randn(3).double(),
        "low": torch.randn(3).half(),
        "steps": torch.arange(4),
    }
    save_file(made, tmp_path / "published.safetensors", {"format": "pt"})
    return tmp_path / "published.safetensors"


def test_wide_tensors_are_cast_and_named_parts_are_not(published: Path, tmp_path: Path) -> None:
    cast(published, tmp_path / "stored.safetensors", BFLOAT16)
    before, after = load_file(published), load_file(tmp_path / "stored.safetensors")
    cast_names = {"blocks.0.weight", "normal.weight"}
    assert before.keys() == after.keys()
    assert cast_names == {name for name in before if before[name].dtype != after[name].dtype}
    for name in before:
        assert torch.equal(before[name].bfloat16() if name in cast_names else before[name], after[name])
    with safe_open(tmp_path / "stored.safetensors", framework="pt") as opened:
        assert {"format": "pt"} == opened.metadata()


def test_a_load_gives_the_numbers_of_the_published_one(published: Path, tmp_path: Path) -> None:
    cast(published, tmp_path / "stored.safetensors", StoredAs(files="*", dtype="bfloat16"))
    found, expected = (
        WeightLoader("cpu").read([file], convert_floats_to(torch.bfloat16))
        for file in (tmp_path / "stored.safetensors", published)
    )
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_it_is_the_same_bytes_every_time(published: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        cast(published, tmp_path / name, BFLOAT16)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert published.stat().st_mode == (tmp_path / "one").stat().st_mode


def test_what_is_not_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "published").write_bytes(b"x" * 100)
    with pytest.raises(FetchError, match="not a complete safetensors file"):
        cast(tmp_path / "published", tmp_path / "stored", BFLOAT16)
