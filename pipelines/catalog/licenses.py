"""Check of a model's license against `ATELIER_ALLOWED_LICENSES`."""

from core.errors.failures import LicenseRefused
from pipelines.catalog.spec import ModelSpec

Allowed = frozenset[str]
"""Lowercase license names; an empty set allows every license that the catalog names."""


def read_allowed(text: str) -> Allowed:
    """Return the names in a comma-separated list."""
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def is_allowed(spec: ModelSpec, allowed: Allowed) -> bool:
    """Return whether the model may be loaded."""
    return not allowed or spec.licence.name.lower() in allowed


def refuse_license(spec: ModelSpec, allowed: Allowed) -> None:
    """Raise `LicenseRefused`, which names the license, unless it is allowed."""
    if not is_allowed(spec, allowed):
        raise LicenseRefused(f"{spec.id}: its license {spec.licence.name} is not in `ATELIER_ALLOWED_LICENSES`.")
