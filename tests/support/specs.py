"""Model specs for tests."""

from typing import Any

import msgspec

from pipelines.spec import ModelSpec

ENTRY: dict[str, Any] = {
    "id": "tiny",
    "title": "A model for tests",
    "family": "diffusers-image",
    "modality": "image",
    "source": {"path": "tiny"},
    "licence": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    "capabilities": ["text-to-image"],
}
"""A whole catalogue entry."""


def spec(**changes: Any) -> ModelSpec:
    """`ENTRY` with some keys of its own, checked as an entry of `models.toml` is."""
    return msgspec.convert(ENTRY | changes, ModelSpec)
