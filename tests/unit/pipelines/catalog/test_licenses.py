from pathlib import Path

import pytest

from core.errors.failures import LicenseRefused
from core.errors.inputs import LoraNotAllowed, LoraNotCompatible
from pipelines.catalog.licenses import check_lora_file, is_allowed, read_allowed, refuse_license
from pipelines.catalog.loader import Catalog, load_catalog
from pipelines.runtime.device import load
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import missing, servable
from tests.support.checkpoints.specs import spec

FREE = spec(source={}, family="tests.support.faults.chaos:Chaos")
OTHER = spec(id="other", source={}, licence={"name": "OpenRAIL++-M", "url": "https://example.org"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        (" , ", set()),
        ("MIT", {"mit"}),
        ("mit, Apache-2.0,OpenRAIL++-M", {"mit", "apache-2.0", "openrail++-m"}),
    ],
)
def test_names_are_read_in_any_case(text: str, names: set[str]) -> None:
    assert names == read_allowed(text)


def test_an_empty_list_allows_everything() -> None:
    assert all(is_allowed(model, read_allowed("")) for model in load_catalog().models)


def test_a_lora_may_have_a_licence_of_its_own() -> None:
    lora = {"source": {"path": "style"}, "file": "style.safetensors"}
    own = {"name": "CreativeML", "url": "https://example.org"}
    model = spec(source={}, loras={"plain": lora, "style": lora | {"licence": own}})

    refuse_license(model, read_allowed("apache-2.0,creativeml"))
    with pytest.raises(LicenseRefused, match=r"tiny\+style: its license CreativeML is not in"):
        refuse_license(model, read_allowed("apache-2.0"))


def test_a_controlnet_may_have_a_licence_of_its_own() -> None:
    own = {"name": "CreativeML", "url": "https://example.org"}
    network = {"source": {"path": "union"}, "file": "union.safetensors", "licence": own}
    model = spec(source={}, capabilities=["text-to-image", "control"], controlnet=network)

    assert ["tiny+controlnet"] == [bundle.key for bundle in model.bundles]
    with pytest.raises(LicenseRefused, match=r"tiny\+controlnet: its license CreativeML is not in"):
        refuse_license(model, read_allowed("apache-2.0"))


def test_another_licence_is_refused_by_name() -> None:
    allowed = read_allowed("apache-2.0,MIT")

    refuse_license(FREE, allowed)
    with pytest.raises(LicenseRefused, match=r"other: its license OpenRAIL\+\+-M is not in"):
        refuse_license(OTHER, allowed)


def test_it_is_not_served(tmp_path: Path) -> None:
    allowed = read_allowed("Apache-2.0")

    assert (FREE,) == servable(Catalog((FREE, OTHER)), Lock(), tmp_path, allowed)
    assert (FREE, OTHER) == servable(Catalog((FREE, OTHER)), Lock(), tmp_path)
    assert "its license OpenRAIL++-M" in str(missing(OTHER, Lock(), tmp_path, allowed))


def test_it_is_not_loaded(tmp_path: Path) -> None:
    load(FREE, tmp_path, Lock(), "cpu", read_allowed("Apache-2.0"))
    with pytest.raises(LicenseRefused):
        load(FREE, tmp_path, Lock(), "cpu", read_allowed("MIT"))


def test_a_callers_lora_is_taken_where_the_entry_names_it() -> None:
    terms = {"name": "CC-BY-4.0", "url": "https://example.org"}
    first, second = "1" * 64, "2" * 64
    files = [{digest: {"licence": terms}} for digest in (first, second)]
    catalog = Catalog((spec(id="one", lora_files=files[0]), spec(id="two", lora_files=files[1])))

    check_lora_file(catalog, "one", first, read_allowed("cc-by-4.0"))
    with pytest.raises(LoraNotCompatible, match="This LoRA is for two, and the model is one"):
        check_lora_file(catalog, "one", second, frozenset())
    with pytest.raises(LoraNotAllowed, match="Its sha256 is 3333"):
        check_lora_file(catalog, "one", "3" * 64, frozenset())
    with pytest.raises(LoraNotAllowed, match=r"CC-BY-4\.0, is not in `ATELIER_ALLOWED_LICENSES`"):
        check_lora_file(catalog, "one", first, read_allowed("mit"))
