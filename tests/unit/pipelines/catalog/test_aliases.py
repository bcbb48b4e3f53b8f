import pytest

from pipelines.catalog.aliases import MODALITIES, load_aliases
from pipelines.catalog.loader import CatalogError, load_catalog
from tests.support.paths import CATALOG

NAMES = {
    "image": ("dall-e-3", "dall-e-2", "imagen-3", "gpt-image-1"),
    "video": ("veo-3", "sora-2"),
    "speech": ("eleven_turbo_v2", "eleven_multilingual_v2", "tts-1"),
}


@pytest.fixture(scope="module")
def catalog():
    return load_catalog(CATALOG)


def test_the_shipped_names_mean_the_default_of_their_modality(catalog):
    aliases = load_aliases(catalog)
    for modality, names in NAMES.items():
        assert {None} == {aliases.model(catalog, modality, name, "whaletools") for name in names}
    assert (None, None) == (aliases.voices["voice_rachel"], aliases.voices["alloy"])
    assert {None} == {meaning for names in aliases.models.values() for meaning in names.values()}


def test_other_names_are_what_they_are(catalog):
    aliases = load_aliases(catalog)
    assert "chaos" == aliases.model(catalog, "image", "chaos", "whaletools")
    assert "dall-e-9" == aliases.model(catalog, "image", "dall-e-9", "whaletools")
    assert "dall-e-3" == aliases.model(catalog, "speech", "dall-e-3", "whaletools")
    assert aliases.model(catalog, "image", None, "whaletools") is None


def test_a_name_that_the_catalog_has_is_that_models(tmp_path):
    file = tmp_path / "models.toml"
    shipped = CATALOG.read_text()
    file.write_text(shipped.replace('"chaos-two"', '"chaos-two"\naliases = { whaletools = ["dall-e-3"] }', 1))
    catalog = load_catalog(file)
    aliases = load_aliases(catalog)
    assert "chaos-two" == aliases.model(catalog, "image", "dall-e-3", "whaletools")
    assert aliases.model(catalog, "image", "dall-e-3", "openai") is None


def test_an_operators_table_replaces_the_shipped_one(catalog, tmp_path):
    file = tmp_path / "aliases.toml"
    file.write_text('[image]\nchaos-two = ["dall-e-3"]\n[voices]\n"builtin:chaos-speech" = ["nova"]\n')
    aliases = load_aliases(catalog, file)
    assert "chaos-two" == aliases.model(catalog, "image", "dall-e-3", "whaletools")
    assert "imagen-3" == aliases.model(catalog, "image", "imagen-3", "whaletools")
    assert {"nova": "builtin:chaos-speech"} == aliases.voices


def test_an_empty_table_has_no_names(catalog, tmp_path):
    (tmp_path / "none.toml").touch()
    aliases = load_aliases(catalog, tmp_path / "none.toml")
    assert ({}, {}) == (aliases.models, aliases.voices)
    assert "dall-e-3" == aliases.model(catalog, "image", "dall-e-3", "whaletools")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[images]\n", r"unknown table \[images\]"),
        ('[image]\nnone-such = ["a"]\n', "'none-such', which the catalog has not"),
        ('[image]\ndefault = "a"\n', r"\[image\]: .*write `default"),
        ('[image]\ndefault = ["a", "a"]\n', "'a' twice"),
        ("[image\n", "aliases.toml: "),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(catalog, tmp_path, text, complaint):
    file = tmp_path / "aliases.toml"
    file.write_text(text)
    with pytest.raises(CatalogError, match=complaint):
        load_aliases(catalog, file)
    with pytest.raises(CatalogError, match="No such file"):
        load_aliases(catalog, tmp_path / "none.toml")


def test_every_modality_may_have_names():
    assert {"image", "video", "speech", "remove-background"} <= set(MODALITIES)
