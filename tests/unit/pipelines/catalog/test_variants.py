"""Variants: which presets have weights of their own, and how the engine keeps them apart."""

import pytest

from pipelines.catalog.variants import model_of, quantization_of, spec_of, variant_id
from tests.support.checkpoints.specs import spec

FAST = {"quantization": "float8", "num_inference_steps": 4, "vram_bytes": 5}
CONTROL = {"source": {"path": "a"}, "file": "a.safetensors"}
ENTRY = spec(vram_bytes=9, quality={"fast": FAST, "pro": {"num_inference_steps": 50}})


def test_only_a_preset_with_other_weights_is_a_variant() -> None:
    assert "tiny+float8" == variant_id(ENTRY, "fast")
    assert ["tiny"] * 3 == [variant_id(ENTRY, word) for word in ("standard", "pro", "ultra")]
    assert "tiny" == variant_id(spec(quantization="float8", quality={"fast": {"quantization": "float8"}}), "fast")


def test_a_variant_is_loaded_with_its_quantization_and_presets() -> None:
    variant = spec_of(ENTRY, "tiny+float8")
    assert ("tiny", "float8", 5) == (variant.id, variant.quantization, variant.vram_bytes)
    assert {"fast"} == set(variant.quality)
    assert ENTRY is spec_of(ENTRY, "tiny")
    assert ENTRY.bundles == variant.bundles


def test_its_name_says_the_model() -> None:
    assert ("tiny", "float8") == (model_of("tiny+float8"), quantization_of("tiny+float8"))
    assert ("tiny", None) == (model_of("tiny"), quantization_of("tiny"))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"quality": {"fast": {"vram_bytes": 5}}}, "is for one with `quantization`"),
        (
            {
                "quality": {"fast": {"lora": "a", "quantization": "float8"}},
                "loras": {"a": {"source": {"path": "a"}, "file": "a.safetensors"}},
            },
            "`quantization` and `lora` exclude each other",
        ),
        (
            {"quantization": "float8", "loras": {"a": {"source": {"path": "a"}, "file": "a.safetensors"}}},
            "`quantization` and `loras` exclude each other",
        ),
        (
            {"capabilities": ["control"], "controlnet": CONTROL, "quality": {"fast": FAST}},
            "`controlnet` excludes",
        ),
        ({"quantization": "int4"}, "Invalid enum value 'int4'"),
    ],
)
def test_what_does_not_go_together_is_refused(keys: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        spec(**keys)
