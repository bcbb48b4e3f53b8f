"""What models take of a card, by the lock."""

from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.memory import PAGE, table, with_table
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.weights.footprint import WeightBytes, header_precision, weights_of
from pipelines.weights.lockfile import Lock, LockedFile, LockedModel, read_lock
from tests.support.checkpoints.specs import spec

LOCK = read_lock()
SPECS = load_catalog().models
KNOWN = {one.id: weights for one in SPECS if (weights := weights_of(one, LOCK)).total and not weights.unknown}


def locked(**sizes: int | None) -> Lock:
    files = {
        name.replace("__", "/") + ".safetensors": LockedFile(size=size, sha256=None) for name, size in sizes.items()
    }
    return Lock({"wan2.2-ti2v-5b": LockedModel(files=files)})


def wan(**changes: object) -> ModelSpec:
    return spec(id="wan2.2-ti2v-5b", source={"path": "wan"}, **changes)


def test_the_page_has_the_table_of_the_lock_and_catalog() -> None:
    page = PAGE.read_text()
    assert page == with_table(page, table(SPECS, LOCK)), "run `python -m benchmarks.memory --write`"


def test_each_part_counts_in_its_own_precision() -> None:
    found = weights_of(wan(), locked(transformer__a=800, text_encoder__a=300, vae__a=100, scheduler=None))
    assert WeightBytes(files=1200, in_memory={"bfloat16": 700, "float32": 100}, unknown=1) == found
    assert 1600 == weights_of(wan(dtype="float32"), locked(transformer__a=800, text_encoder__a=300, vae__a=200)).total


def test_only_t3_takes_the_precision_of_a_speech_entry() -> None:
    entry = next(one for one in SPECS if one.id == "chatterbox")
    found = weights_of(msgspec.structs.replace(entry, dtype="bfloat16"), LOCK).in_memory
    assert 1056484620 + 5695784 == found["float32"]  # s3gen.safetensors and ve.safetensors
    assert (2129653744 + 107374) // 2 == found["bfloat16"]


def test_a_preset_with_weights_of_its_own_has_a_row() -> None:
    entry = wan(vram_bytes=9 * 10**9, quality={"fast": {"quantization": "float8", "vram_bytes": 5 * 10**9}})
    made = table([entry], locked(transformer__a=8 * 10**9, text_encoder__a=3 * 10**9), cards=(24,))
    assert "| wan2.2-ti2v-5b | 11 | 7 | bfloat16 | 9 | 17 |" in made
    assert "| wan2.2-ti2v-5b, fast | 11 | 5 | bfloat16 3, float8 2 | 5 | 19 |" in made


def test_what_does_not_fit_says_so() -> None:
    made = table([wan()], locked(transformer__a=60 * 10**9), cards=(24, 48))
    assert "| wan2.2-ti2v-5b | 60 | 30 | bfloat16 | 0 | does not fit | 18 |" in made


def test_unknown_files_are_reckoned_by_the_estimate() -> None:
    entry = wan(vram_bytes=79 * 10**9)
    made = table([entry], locked(transformer__a=None, vae__a=5 * 10**8), cards=(24, 80))
    assert "| wan2.2-ti2v-5b | at least 0.5 | at least 0.5 | float32 | 79 | does not fit | about 1 |" in made
    made = table([entry], locked(transformer__a=None), cards=(24, 80))
    assert "| wan2.2-ti2v-5b | unknown | unknown |  | 79 | does not fit | about 1 |" in made


SMALL = {
    one.id
    for one in SPECS
    if one.family in ("rembg", "real-esrgan", "cutout-parts", "rife", "grounded-sam", "picture-words")
}
"""Networks of few weights on large pictures: what they take is working memory for the most part."""


@pytest.mark.parametrize("name", sorted(set(KNOWN) - {"demo-shapes"} - SMALL))
def test_an_estimate_is_what_the_weights_take_and_little_more(name: str) -> None:
    """The engine makes room by it at the first load: twice as much sends models away that could have stayed."""
    estimate = next(one.vram_bytes for one in SPECS if one.id == name)
    assert 1.0 <= estimate / KNOWN[name].total <= 1.3


def test_most_large_models_are_known() -> None:
    assert {"flux2-klein-4b", "z-image-turbo", "wan2.2-ti2v-5b", "triposg", "chatterbox"} <= set(KNOWN)


def test_a_header_tells_the_precision_of_most_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(100, dtype=torch.bfloat16), "b": torch.ones(10)}, file, metadata={"format": "pt"})
    assert "bfloat16" == header_precision(file)
