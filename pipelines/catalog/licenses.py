"""Check of the licenses of a model and its LoRAs against `ATELIER_ALLOWED_LICENSES`."""

from core.errors.failures import LicenseRefused
from core.errors.inputs import LoraNotAllowed, LoraNotCompatible
from pipelines.catalog.loader import Catalog
from pipelines.catalog.spec import ModelSpec

Allowed = frozenset[str]
"""Lowercase license names; an empty set allows every license that the catalog names."""


def read_allowed(text: str) -> Allowed:
    """Return the names in a comma-separated list."""
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def is_allowed(spec: ModelSpec, allowed: Allowed) -> bool:
    """Return whether the model may be loaded."""
    return not _refused(spec, allowed)


def refuse_license(spec: ModelSpec, allowed: Allowed) -> None:
    """Raise `LicenseRefused`, which names the license, unless it is allowed."""
    for key, name in _refused(spec, allowed).items():
        raise LicenseRefused(f"{key}: its license {name} is not in `ATELIER_ALLOWED_LICENSES`.")


def _refused(spec: ModelSpec, allowed: Allowed) -> dict[str, str]:
    """Return the names of the licenses that are not allowed, by the key of what has them."""
    names = {spec.id: spec.licence.name}
    names |= {
        f"{spec.id}+{name}": each.licence.name
        for name, each in (spec.additions | spec.parts).items()
        if each.licence is not None
    }
    return {key: name for key, name in names.items() if allowed and name.lower() not in allowed}


def check_lora_file(catalog: Catalog, model_id: str, sha256: str, allowed: Allowed) -> None:
    """Raise `LoraNotAllowed` or `LoraNotCompatible` unless a caller's LoRA may be put on the model, by its entry.

    Raises `UnknownModel` for a model without an entry.
    """
    file = catalog.get(model_id).lora_files.get(sha256)
    if file is None:
        others = [spec.id for spec in catalog.models if sha256 in spec.lora_files]
        if others:
            raise LoraNotCompatible(f"This LoRA is for {' and '.join(others)}, and the model is {model_id}.")
        raise LoraNotAllowed(f"{LoraNotAllowed.advice} Its sha256 is {sha256}.")
    if allowed and file.licence.name.lower() not in allowed:
        raise LoraNotAllowed(f"The license of this LoRA, {file.licence.name}, is not in `ATELIER_ALLOWED_LICENSES`.")
