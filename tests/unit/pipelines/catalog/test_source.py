from pathlib import Path

import msgspec
import pytest

from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import Bundle, Source
from pipelines.weights.hub import is_wanted
from tests.support.checkpoints.specs import spec

HUB = {"repo": "a/b", "revision": "0" * 40}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.onnx",
        "https://example.org/",
        "https://example.org",
        "https://example.org/a.onnx?x=1",
        "https://example.org/..",
        "https://example.org/.hidden",
        "ftp://example.org/a.onnx",
    ],
)
def test_an_address_is_https_and_ends_with_a_file_name(url: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": url}, Source)


@pytest.mark.parametrize("more", [{"repo": "a/b", "revision": "0" * 40}, {"path": "x"}, {"include": ["*"]}])
def test_an_address_stands_alone(more: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": "https://example.org/a.onnx", **more}, Source)


def test_folders_of_bundles() -> None:
    model = spec(source=HUB, loras={"fast": {"source": HUB, "file": "x"}})

    assert ["tiny", "tiny+fast"] == [bundle.key for bundle in model.bundles]
    assert [Path("/w/tiny"), Path("/w/tiny+fast")] == [bundle.directory(Path("/w")) for bundle in model.bundles]
    assert Path("/w/net") == Bundle("net", Source(url="https://example.org/a.onnx")).directory(Path("/w"))


def test_parts_lie_within_the_folder() -> None:
    model = spec(source=HUB, parts={"sd-vae": {"source": HUB}})
    own, part = model.bundles

    assert ("tiny", "tiny+sd-vae") == (own.key, part.key)
    assert (Path("/w/tiny"), Path("/w/tiny/sd-vae")) == (own.directory(Path("/w")), part.directory(Path("/w")))
    assert ("sd-vae",) == own.apart
    assert ["tiny+sd-vae"] == [bundle.key for bundle in spec(source={}, parts={"sd-vae": {"source": HUB}}).bundles]
    with pytest.raises(msgspec.ValidationError, match="`parts` go with a `repo` or without a `source`"):
        spec(source={"path": "tiny"}, parts={"sd-vae": {"source": HUB}})


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("model_index.json", True),
        ("unet/config.json", True),
        ("unet/model.fp16.safetensors", True),
        ("unet/model.safetensors", False),
        ("vae_1_0/model.fp16.safetensors", False),
        (".gitattributes", False),
        ("README.md", False),
    ],
)
def test_include_and_exclude_match_the_whole_path(path: str, wanted: bool) -> None:
    source = Source(**HUB, include=("*.json", "*.fp16.safetensors", "*.md"), exclude=("vae_1_0/*", "README*"))

    assert wanted == is_wanted(source, path)


@pytest.mark.parametrize(
    ("path", "wanted"), [("a.safetensors", True), ("LICENSE.md", True), ("x/y.png", False), (".gitattributes", False)]
)
def test_without_them_all_but_what_no_loader_reads(path: str, wanted: bool) -> None:
    assert wanted == is_wanted(Source(**HUB), path)


def test_a_file_is_stored_as_the_first_pattern_says() -> None:
    stored = [{"files": "net/*", "dtype": "bfloat16"}, {"files": "*", "dtype": "float16"}]
    source = msgspec.convert(HUB | {"stored_as": stored}, Source)
    paths = ("net/a.safetensors", "vae/a.safetensors", "net/config.json", "net/a.bin")
    found = [source.storing(path) for path in paths]
    assert ["bfloat16", "float16", None, None] == [one and one.dtype for one in found]


def test_only_what_is_fetched_can_be_stored_otherwise() -> None:
    with pytest.raises(msgspec.ValidationError, match="is for files of a `repo` or `url`"):
        msgspec.convert({"path": "x", "stored_as": [{"files": "*", "dtype": "bfloat16"}]}, Source)


@pytest.mark.parametrize(
    ("model", "class_name"),
    [("z-image-turbo", "ZImageTransformer2DModel"), ("wan2.2-ti2v-5b", "WanTransformer3DModel")],
)
def test_what_diffusers_keeps_in_float32_is_not_cast(model: str, class_name: str) -> None:
    import diffusers

    storing = load_catalog().get(model).source.storing("transformer/diffusion_pytorch_model-00001-of-00003.safetensors")
    kept = getattr(diffusers, class_name)._keep_in_fp32_modules
    assert storing is not None
    assert ("bfloat16", set(kept or ())) == (storing.dtype, set(storing.float32))
