"""The precisions that files are published in, held against networks of the published sizes."""

from typing import Any

import pytest
from accelerate import init_empty_weights
from diffusers import ControlNetUnionModel, ZImageControlNetModel

from benchmarks.families.full_size import NETWORKS, on_meta, parameters
from pipelines.catalog.loader import load_catalog
from pipelines.memory.float8 import use_float8
from pipelines.weights.footprint import BYTES, IN_BLOCKS, stored_precision
from pipelines.weights.lockfile import read_lock

MODELS = {"z-image": "z-image-turbo", "sdxl": "sdxl", "wan22": "wan2.2-ti2v-5b"}


@pytest.mark.matrix
@pytest.mark.parametrize(("network", "part"), [(name, part) for name in MODELS for part in NETWORKS[name]])
def test_files_are_as_large_as_the_network_in_their_precision(network: str, part: str) -> None:
    spec, lock = load_catalog().get(MODELS[network]), read_lock()
    sizes = {
        path: facts.size
        for path, facts in lock.models[spec.id].files.items()
        if path.startswith(f"{part}/") and path.endswith(".safetensors")
    }
    if None in sizes.values():
        pytest.skip("the lock does not know the size")
    stored = {stored_precision(spec, spec.bundles[0], path) for path in sizes}
    expected = parameters(on_meta(NETWORKS[network][part])) * BYTES[stored.pop()]
    assert 0.998 < sum(size or 0 for size in sizes.values()) / expected < 1.002


@pytest.mark.matrix
@pytest.mark.parametrize("model", ["z-image-turbo-control", "sdxl-control"])
def test_a_controlnet_is_as_large_as_its_file(model: str) -> None:
    spec = load_catalog().get(model)
    assert spec.controlnet is not None
    class_ = ZImageControlNetModel if model.startswith("z-image") else ControlNetUnionModel
    with init_empty_weights():
        made: Any = class_.from_config(spec.controlnet.config)
    size = read_lock().models[f"{model}+controlnet"].files[spec.controlnet.file].size
    names = (size or 0) - 2 * parameters(made)
    assert 0 < names < 150_000, "bytes that are left for the names of its tensors"


@pytest.mark.long
def test_the_share_of_blocks_is_that_of_the_network() -> None:
    transformer = on_meta(NETWORKS["z-image"]["transformer"])
    everything, names = parameters(transformer), use_float8(transformer)
    found = sum(transformer.state_dict()[name].numel() for name in names) / everything
    assert IN_BLOCKS["z-image-turbo"] == round(found, 3)
