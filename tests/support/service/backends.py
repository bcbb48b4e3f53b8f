"""Catalogs with remote backends, and settings under which these are checked and left alone for moments only."""

from pathlib import Path

from tests.support.service.service import CHAOS, CHAOS_FAMILY

SETTINGS = {
    "ATELIER_BACKEND_POLL_SECONDS": "0.1",
    "ATELIER_BACKEND_CHECK_SECONDS": "0.5",
    "ATELIER_BACKEND_BREAKER_SECONDS": "0.5",
}
MODEL = """
[[model]]
id = "{id}"
title = "{id}"
family = "{family}"
modality = "{modality}"
tier = "demo"
licence = {{ name = "Apache-2.0", url = "https://example.org" }}
{more}
estimated_seconds = 0.1
backends = {backends}
"""
BACKEND = """
[[backend]]
name = "{name}"
kind = "{kind}"
url = "{url}"
concurrency = 2
timeout_seconds = 60
"""
FROM_TEXT = 'capabilities = ["text-to-image"]\nlimits = { min_side = 8 }'


def model(name: str, backends: str, *, local: bool = False, modality: str = "image", more: str = FROM_TEXT) -> str:
    """A catalog entry with an order of backends; `local` where servers here are among them."""
    family = CHAOS_FAMILY if local else "remote"
    return MODEL.format(id=name, family=family, modality=modality, more=more, backends=backends)


def backend(name: str, kind: str, url: str) -> str:
    """A catalog entry of a backend."""
    return BACKEND.format(name=name, kind=kind, url=url)


def catalog_with(folder: Path, *entries: str) -> Path:
    """A catalog with these entries behind those of `tests/support/models.toml`."""
    file = folder / "models.toml"
    file.write_text(CHAOS.read_text() + "".join(entries), "utf-8")
    return file
