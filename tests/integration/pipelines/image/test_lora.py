"""LoRAs that requests put on the model: the pixels of diffusers with the same adapters, and none of them afterwards."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors.fields import NotThisModel
from jobs.params.media import LoraChoice
from tests.support.checkpoints.image_runs import alone, directly, image, loaded
from tests.support.checkpoints.tiny_loras import ZIMAGE_LAYERS, save_lora

CATALOG: dict[str, Any] = {
    "loras": {
        "style": {"source": {"path": "style"}, "file": "style.safetensors", "scale": 0.5},
        "brand": {"source": {"path": "brand"}, "file": "brand.safetensors"},
    }
}


def choices(**weights: float) -> tuple[LoraChoice, ...]:
    return tuple(LoraChoice(lora=name, weight=weight) for name, weight in weights.items())


@pytest.fixture
def folder(weights_dir: Path, tmp_path: Path) -> Path:
    """A weights directory with the model and two LoRAs."""
    (tmp_path / "zimage").symlink_to(weights_dir / "zimage")
    for seed, name in enumerate(CATALOG["loras"]):
        save_lora(tmp_path / name / f"{name}.safetensors", ZIMAGE_LAYERS, alpha=False, seed=seed)
    return tmp_path


@pytest.mark.contract("F1")
def test_pixels_are_those_of_diffusers_with_the_adapters(folder: Path) -> None:
    pipeline = loaded("zimage", folder, **CATALOG)
    bare = directly(folder / "zimage")

    made = image(pipeline, loras=choices(style=0.8, brand=0.3))

    pipe = alone(folder / "zimage")
    for name in CATALOG["loras"]:
        pipe.load_lora_weights(folder / name, weight_name=f"{name}.safetensors", adapter_name=name)
    pipe.set_adapters(["style", "brand"], [0.4, 0.3])
    assert np.array_equal(directly(folder / "zimage"), made)
    pipe.unload_lora_weights()
    assert np.array_equal(bare, image(pipeline))
    assert not np.array_equal(bare, made)


@pytest.mark.long
def test_one_that_the_server_lacks_is_refused(folder: Path) -> None:
    pipeline = loaded("zimage", folder, **CATALOG)

    with pytest.raises(NotThisModel, match="zimage has no LoRA 'lace' on this server"):
        image(pipeline, loras=choices(lace=1.0))

    assert np.array_equal(directly(folder / "zimage"), image(pipeline))


@pytest.mark.long
def test_weight_nothing_changes_nothing(folder: Path) -> None:
    pipeline = loaded("zimage", folder, **CATALOG)

    assert np.array_equal(directly(folder / "zimage"), image(pipeline, loras=choices(style=0.0)))
