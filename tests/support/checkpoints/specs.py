"""Model specs for tests, and the entries of a catalog that they are read from."""

from typing import Any

import msgspec

from pipelines.catalog.spec import ModelSpec

ENTRY: dict[str, Any] = {
    "id": "tiny",
    "title": "A model for tests",
    "family": "diffusers-image",
    "modality": "image",
    "source": {"path": "tiny"},
    "licence": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    "capabilities": ["text-to-image"],
}
"""A whole catalog entry."""


def spec(**changes: Any) -> ModelSpec:
    """`ENTRY` with some keys of its own, checked as an entry of `models.toml` is."""
    return msgspec.convert(ENTRY | changes, ModelSpec)


def entry(name: str, **keys: Any) -> str:
    """A catalog entry as an operator writes it; a key of `None` is omitted."""
    keys = {
        "id": name,
        "title": name,
        "source": {"path": name},
        "licence": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        **keys,
    }
    return "[[model]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items() if value is not None)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return msgspec.json.encode(value).decode()
