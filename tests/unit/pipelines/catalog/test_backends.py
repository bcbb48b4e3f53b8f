"""Orders of backends in the catalog: what may be written, and what is refused with the reason."""

from pathlib import Path

import pytest

from pipelines.catalog.backends import Backend
from pipelines.catalog.loader import Catalog, CatalogError, load_catalog

BACKEND = """
[[backend]]
name = "partner"
kind = "openai"
url = "https://partner.example/v1"
"""
MODEL = """
[[model]]
id = "one"
title = "One"
family = "{family}"
modality = "{modality}"
licence = {{ name = "Apache-2.0", url = "https://example.org" }}
backends = {backends}
"""


def loaded(folder: Path, backends: str, *, family: str = "diffusers-image", modality: str = "image") -> Catalog:
    file = folder / "models.toml"
    file.write_text(BACKEND + MODEL.format(family=family, modality=modality, backends=backends), "utf-8")
    return load_catalog(file)


def test_a_model_has_no_backends_unless_its_entry_names_one() -> None:
    shipped = load_catalog()
    assert () == shipped.backends
    assert {("local",)} == {spec.order for spec in shipped.models}


@pytest.mark.parametrize(
    ("order", "family", "is_local"),
    [
        ('[{ name = "local" }, { name = "partner", after_seconds = 20 }]', "diffusers-image", True),
        ('[{ name = "partner" }, { name = "local" }]', "diffusers-image", True),
        ('[{ name = "partner" }]', "remote", False),
    ],
)
def test_an_order_begins_with_either_or_has_backends_alone(
    tmp_path: Path, order: str, family: str, is_local: bool
) -> None:
    spec = loaded(tmp_path, order, family=family).get("one")
    assert is_local is spec.is_local
    assert "partner" in spec.order


@pytest.mark.parametrize(
    ("order", "family", "modality", "reason"),
    [
        ('[{ name = "other" }]', "remote", "image", "no \\[\\[backend\\]\\] is called so"),
        ('[{ name = "partner" }, { name = "partner" }]', "remote", "image", "twice"),
        ('[{ name = "partner" }]', "diffusers-image", "image", 'without "local"'),
        ('[{ name = "local" }]', "remote", "image", 'without "local"'),
        ('[{ name = "partner", after_seconds = 3 }]', "remote", "image", "at once"),
        ('[{ name = "local", after_seconds = 3 }]', "diffusers-image", "image", "a name alone"),
        ('[{ name = "partner" }]', "remote", "video", "makes no 'video' yet"),
        ('[{ name = "partner", key = "sk-1" }]', "remote", "image", "unknown field `key`"),
    ],
)
def test_a_wrong_order_is_refused_with_the_reason(
    tmp_path: Path, order: str, family: str, modality: str, reason: str
) -> None:
    with pytest.raises(CatalogError, match=reason):
        loaded(tmp_path, order, family=family, modality=modality)


@pytest.mark.parametrize(
    "url", ["ftp://one.example", "https://user:secret@one.example/v1", "https://one.example/?key=1"]
)
def test_the_url_of_a_backend_has_no_secret_in_it(tmp_path: Path, url: str) -> None:
    file = tmp_path / "models.toml"
    file.write_text(BACKEND.replace("https://partner.example/v1", url), "utf-8")
    with pytest.raises(CatalogError, match="backend 'partner'"):
        load_catalog(file)


def test_a_backend_is_a_server_under_a_name_of_its_own() -> None:
    assert "backend:partner" == Backend(name="partner", kind="atelier", url="http://one.example").server_id
