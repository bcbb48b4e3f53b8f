"""Which licences the operator allows: `ATELIER_ALLOWED_LICENSES` against the licence of a catalog entry."""

from core.errors import LicenseRefused
from pipelines.catalog.spec import ModelSpec

Allowed = frozenset[str]
"""Names of licences in small letters; empty allows all that the catalog names."""


def read_allowed(text: str) -> Allowed:
    """The names in a comma-separated list."""
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def is_allowed(spec: ModelSpec, allowed: Allowed) -> bool:
    """Whether the model may be loaded."""
    return not allowed or spec.licence.name.lower() in allowed


def refuse_license(spec: ModelSpec, allowed: Allowed) -> None:
    """Raise `LicenseRefused`, which names the licence, unless it is allowed."""
    if not is_allowed(spec, allowed):
        raise LicenseRefused(f"{spec.id}: its licence {spec.licence.name} is not among those allowed here.")
