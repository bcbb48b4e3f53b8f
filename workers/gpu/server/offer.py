"""What a server offers to compute."""

from dataclasses import dataclass

from pipelines.catalog.loader import Catalog


@dataclass(frozen=True, kw_only=True)
class ServerOffer:
    """The models of the catalog that this server can load."""

    catalog: Catalog
    models: tuple[str, ...]
    """Ids."""
    dedicated: bool = False
    """Whether only jobs that ask for this server are claimed."""
