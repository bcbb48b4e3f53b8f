"""Strict loading: of tiny checkpoints with the published names, and of the published files without their bytes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Dinov2Model

from core.errors.failures import ModelLoadFailed
from pipelines.diffusion.state_dict_check import state_dict_mismatches
from pipelines.memory.weight_loader import WeightLoader
from pipelines.mesh.triposg.config import TransformerConfig, VaeConfig, read_config
from pipelines.mesh.triposg.load import WEIGHTS, load_image_encoder, load_module, load_processor
from pipelines.mesh.triposg.transformer import Transformer
from pipelines.mesh.triposg.vae import UNUSED, Vae
from tests.support.checkpoints import tiny_triposg
from tests.support.checkpoints.tiny_triposg import PUBLISHED


def load_transformer(folder: Path) -> Transformer:
    config = read_config(folder / "transformer" / "config.json", TransformerConfig)
    return load_module(
        lambda: Transformer(config), folder / "transformer" / WEIGHTS, WeightLoader("cpu"), torch.float32
    )


def load_vae(folder: Path) -> Vae:
    config = read_config(folder / "vae" / "config.json", VaeConfig)
    return load_module(lambda: Vae(config), folder / "vae" / WEIGHTS, WeightLoader("cpu"), torch.float32, UNUSED)


def load_dinov2(folder: Path) -> Dinov2Model:
    return load_image_encoder(folder / "image_encoder_dinov2", WeightLoader("cpu"), torch.float32)


LOADERS: dict[str, Callable[[Path], nn.Module]] = {
    "transformer": load_transformer,
    "vae": load_vae,
    "image_encoder_dinov2": load_dinov2,
}


@pytest.fixture
def broken(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(checkpoint, tmp_path / "triposg")


class TestFullSize:
    """The published names, shapes and sizes; `meta` tensors have no memory."""

    @pytest.mark.parametrize("part", tiny_triposg.FILES)
    def test_the_facts_make_files_of_the_published_size(self, tmp_path: Path, part: str) -> None:
        file = tiny_triposg.header_only(part, tmp_path / "model.safetensors")

        assert PUBLISHED[part]["tensor_count"] == len(tiny_triposg.shapes(part))
        assert PUBLISHED[part]["file_size"] == file.stat().st_size

    @pytest.mark.parametrize(
        ("part", "build", "unused"),
        [
            ("transformer", lambda: Transformer(TransformerConfig()), ()),
            ("vae", lambda: Vae(VaeConfig()), UNUSED),
        ],
    )
    def test_our_networks(
        self, tmp_path: Path, part: str, build: Callable[[], nn.Module], unused: tuple[str, ...]
    ) -> None:
        with torch.device("meta"):
            module = build()
        with safe_open(tiny_triposg.header_only(part, tmp_path / WEIGHTS), framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118

        used = {name: shape for name, shape in shapes.items() if not name.startswith(unused)}
        assert not any(state_dict_mismatches(module, used).values())
        tensors = {name: torch.empty(shape, device="meta") for name, shape in used.items()}
        assert ([], []) == tuple(module.load_state_dict(tensors, strict=True, assign=True))

    @pytest.mark.long
    def test_the_image_encoder(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text(tiny_triposg.config_text("image_encoder_dinov2"))
        tiny_triposg.header_only("image_encoder_dinov2", tmp_path / "model.safetensors")

        loaded = load_image_encoder(tmp_path, WeightLoader("cpu"), torch.float16)

        assert 304_368_640 == sum(tensor.numel() for tensor in loaded.state_dict().values())


class TestTiny:
    def test_every_value_arrives(self, checkpoint: Path) -> None:
        for part in ("transformer", "vae"):
            stored = load_file(checkpoint / part / WEIGHTS)
            for name, tensor in LOADERS[part](checkpoint).state_dict().items():
                assert torch.equal(stored[name], tensor)

    def test_the_old_names_of_dinov2_arrive_at_the_new_ones(self, checkpoint: Path) -> None:
        stored = load_file(checkpoint / "image_encoder_dinov2" / "model.safetensors")
        loaded = load_dinov2(checkpoint).state_dict()

        for old, new in {
            "attention.query": "q_proj",
            "attention.key": "k_proj",
            "attention.value": "v_proj",
            "output.dense": "o_proj",
        }.items():
            name = "encoder.layer.1.attention.{}.weight"
            assert torch.equal(stored[name.format(old)], loaded[name.format(new)])

    def test_precision_is_what_was_asked_for(self, checkpoint: Path) -> None:
        config = read_config(checkpoint / "vae" / "config.json", VaeConfig)
        vae = load_module(lambda: Vae(config), checkpoint / "vae" / WEIGHTS, WeightLoader("cpu"), torch.float16, UNUSED)
        encoder = load_image_encoder(checkpoint / "image_encoder_dinov2", WeightLoader("cpu"), torch.float16)

        for module in (vae, encoder):
            assert {torch.float16} == {tensor.dtype for tensor in module.state_dict().values()}
            assert not module.training
            assert not any(parameter.requires_grad for parameter in module.parameters())

    def test_a_vae_without_the_encoding_half_loads_too(self, broken: Path) -> None:
        tensors = load_file(broken / "vae" / WEIGHTS)
        half = {name: tensor for name, tensor in tensors.items() if not name.startswith(UNUSED)}
        save_file(half, broken / "vae" / WEIGHTS)

        assert len(half) < len(tensors)
        assert set(half) == set(load_vae(broken).state_dict())


@pytest.mark.parametrize("part", LOADERS)
class TestRefused:
    def file(self, broken: Path, part: str) -> Path:
        return broken / part / tiny_triposg.FILES[part]

    def some_name(self, part: str) -> str:
        return {
            "transformer": "blocks.3.skip_linear.weight",
            "vae": "decoder.blocks.3.attn2.norm_cross.weight",
            "image_encoder_dinov2": "encoder.layer.1.attention.attention.key.weight",
        }[part]

    def test_a_missing_tensor(self, broken: Path, part: str) -> None:
        tensors = load_file(self.file(broken, part))
        del tensors[self.some_name(part)]
        save_file(tensors, self.file(broken, part), metadata={"format": "pt"})

        with pytest.raises(
            ModelLoadFailed, match=rf"{part} does not fit .*1 tensors are missing, the first is \S+weight"
        ):
            LOADERS[part](broken)

    def test_an_unexpected_tensor(self, broken: Path, part: str) -> None:
        tensors = load_file(self.file(broken, part)) | {"lora.weight": torch.zeros(2, 2)}
        save_file(tensors, self.file(broken, part), metadata={"format": "pt"})

        with pytest.raises(ModelLoadFailed, match=f"{part} does not fit .*unexpected, the first is lora.weight"):
            LOADERS[part](broken)

    def test_a_tensor_of_another_shape(self, broken: Path, part: str) -> None:
        tensors = load_file(self.file(broken, part))
        tensors[self.some_name(part)] = torch.zeros(3)
        save_file(tensors, self.file(broken, part), metadata={"format": "pt"})

        with pytest.raises(ModelLoadFailed, match=part):
            LOADERS[part](broken)

    def test_a_file_cut_short(self, broken: Path, part: str) -> None:
        file = self.file(broken, part)
        file.write_bytes(file.read_bytes()[:-100])

        with pytest.raises(ModelLoadFailed, match=part):
            LOADERS[part](broken)

    def test_a_pickle_under_its_name(self, broken: Path, part: str) -> None:
        torch.save({"a": torch.zeros(1)}, self.file(broken, part))

        with pytest.raises(ModelLoadFailed, match=part):
            LOADERS[part](broken)

    def test_no_file(self, broken: Path, part: str) -> None:
        self.file(broken, part).unlink()

        with pytest.raises(ModelLoadFailed, match=part):
            LOADERS[part](broken)


def test_a_processor_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed, match=r"feature_extractor_dinov2/preprocessor_config\.json"):
        load_processor(tmp_path / "feature_extractor_dinov2")
