import subprocess
import sys
from pathlib import Path

import pytest

from core.errors.fields import UnknownModel
from pipelines.catalog.loader import Catalog, CatalogError, load_catalog
from pipelines.runtime.registry import FAMILIES
from tests.support.checkpoints.specs import spec

ENTRY = """
[[model]]
id = "one"
title = "One"
family = "diffusers-image"
modality = "image"
licence = { name = "Apache-2.0", url = "https://example.org" }
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "models.toml"
    file.write_text(text, "utf-8")
    return file


class TestShipped:
    def test_every_entry_is_of_a_known_family_and_says_its_licence(self) -> None:
        for model in load_catalog().models:
            assert model.family in FAMILIES
            assert model.licence.url.startswith("https://")

    def test_the_demo_model_comes_last(self) -> None:
        assert "demo-shapes" == load_catalog().of("image")[-1].id
        assert "demo" == load_catalog().get("demo-shapes").tier

    def test_a_hub_model_names_its_exact_revision(self) -> None:
        hub = [bundle.source for model in load_catalog().models for bundle in model.bundles if bundle.source.repo]

        assert hub
        assert all(len(source.revision or "") == 40 for source in hub)

    def test_a_model_may_have_the_files_of_another(self) -> None:
        shared, other = load_catalog().get("sdxl-control"), load_catalog().get("sdxl")

        assert (other.source.repo, "sdxl") == (shared.source.repo, shared.bundles[0].key)
        assert other.directory(Path("/w")) == shared.directory(Path("/w"))

    def test_the_test_catalogue_loads(self) -> None:
        assert "chaos" == load_catalog("tests/support/models.toml").models[0].id

    def test_neither_torch_nor_numpy_is_imported(self) -> None:
        code = (
            "import sys, pipelines.catalog.loader as c, pipelines.weights.verify; c.load_catalog();"
            "sys.exit(any(name in sys.modules for name in ('torch', 'numpy')))"
        )

        assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


class TestLookup:
    catalog = Catalog(
        (
            spec(id="first", aliases={"openai": ["gpt-image"], "native": ["best"]}),
            spec(id="second", modality="video"),
        )
    )

    def test_order_and_modality(self) -> None:
        assert ["first"] == [model.id for model in self.catalog.of("image")]
        assert () == self.catalog.of("speech")

    def test_an_alias_counts_in_its_dialect_only(self) -> None:
        assert "first" == self.catalog.resolve("gpt-image", "image", "openai").id
        assert "first" == self.catalog.resolve("best", "image").id
        assert "first" == self.catalog.resolve("first", "image", "openai").id
        with pytest.raises(UnknownModel):
            self.catalog.resolve("gpt-image", "image")

    def test_a_model_of_another_modality_is_unknown(self) -> None:
        with pytest.raises(UnknownModel) as caught:
            self.catalog.resolve("second", "image")

        assert "$.model" == caught.value.field

    def test_an_unknown_model_is_answered_with_the_nearest_one(self) -> None:
        with pytest.raises(UnknownModel, match="Unknown image model 'firstly'; did you mean 'first'\\? GET /models/v1"):
            self.catalog.resolve("firstly", "image")
        with pytest.raises(UnknownModel, match="Unknown model 'nothing-like-it'; GET /models/v1"):
            self.catalog.get("nothing-like-it")

    def test_get(self) -> None:
        assert "second" == self.catalog.get("second").id
        with pytest.raises(UnknownModel):
            self.catalog.get("third")


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            (ENTRY + ENTRY, "model 'one': `id` is used twice"),
            (ENTRY + "speed = 3\n", "model 'one': Object contains unknown field `speed`"),
            (ENTRY + "limits = { min_size = 3 }\n", "unknown field `min_size` - at `$.limits`"),
            (ENTRY.replace('"image"', '"smell"'), "model 'one': Invalid enum value 'smell' - at `$.modality`"),
            (ENTRY.replace('id = "one"', ""), "model 'number 1': Object missing required field `id`"),
            (ENTRY.replace('"one"', '"One!"'), "$.id"),
            (ENTRY + 'source = { repo = "a/b" }\n', "`repo` and `revision` go together"),
            (ENTRY + 'source = { path = "a", shipped = "b" }\n', "name one of"),
            (ENTRY + 'source = { model = "two" }\n', "`source.model` names 'two'"),
            (ENTRY + "price_usd = -1\n", "$.price_usd"),
            (ENTRY + "quality = { best = {} }\n", "Invalid enum value 'best'"),
            (ENTRY + 'capabilities = ["control"]\n', "`control` and `controlnet` go together"),
            (ENTRY + 'preprocessors = { depth = { source = { path = "d" } } }\n', "draw what a `controlnet` follows"),
            (ENTRY + 'quality = { fast = { cache = "magcache" } }\n', "`cache_ratios` go together"),
            (ENTRY + "quality = { fast = { cache_ratios = [1.0] } }\n", "`cache_ratios` go together"),
            (ENTRY + "deadlines = { step = 0 }\n", "$.deadlines.step"),
            (ENTRY + 'aliases = { a = ["x"] }\n' + ENTRY.replace('"one"', '"x"'), "`aliases.a` has 'x'"),
            ("models = 3\n", "unknown key 'models'"),
            ("[model]\n", "two brackets"),
            ("[[model]\n", "models.toml: "),
        ],
    )
    def test_the_error_names_file_entry_and_key(self, tmp_path: Path, text: str, says: str) -> None:
        file = written(tmp_path, text)

        with pytest.raises(CatalogError) as caught:
            load_catalog(file)

        assert str(caught.value).startswith(f"{file}: ")
        assert says in str(caught.value)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(CatalogError, match="No such file"):
            load_catalog(tmp_path / "none.toml")


class TestSpec:
    def test_where_the_weights_are(self) -> None:
        weights = Path("/weights")
        hub = {"repo": "a/b", "revision": "0" * 40}

        assert Path("/weights/tiny") == spec(source=hub).directory(weights)
        assert Path("/weights/here") == spec(source={"path": "here"}).directory(weights)
        assert Path("/there") == spec(source={"path": "/there"}).directory(weights)
        assert "demo/weights" in str(spec(source={"shipped": "demo/weights"}).directory(weights))
        assert not spec(source={}).source.needs_weights

    def test_deadlines_of_a_stage(self) -> None:
        assert 7.0 == spec(deadlines={"step": 7}).deadlines.of("step")
        assert 0 < spec().deadlines.of("load")


@pytest.mark.parametrize("other", ["compile", "offload_blocks"])
def test_graphs_are_of_code_and_weights_that_stay(other: str) -> None:
    assert spec(cuda_graphs=True).cuda_graphs
    with pytest.raises(ValueError, match="goes with neither"):
        spec(cuda_graphs=True, **{other: True})


def test_blocks_cannot_be_both_compiled_and_offloaded() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        spec(compile=True, offload_blocks=True)


@pytest.mark.parametrize(
    "other",
    [
        {"compile": True},
        {"offload_blocks": True},
        {"attention": "auto"},
        {"quality": {"fast": {"cache": "first-block"}}},
        {"modality": "image"},
    ],
)
def test_what_may_differ_between_gpus_excludes_several(other: dict[str, object]) -> None:
    film = {"modality": "video", "family": "diffusers-video", "capabilities": ["text-to-video"], "gpus": 2}
    assert 2 == spec(**film).gpus
    with pytest.raises(ValueError, match="`gpus`"):
        spec(**film | other)
