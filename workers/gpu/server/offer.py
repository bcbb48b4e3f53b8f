"""What a server offers to compute."""

from collections.abc import Iterable

from pipelines.catalog.loader import Catalog


class ServerOffer:
    """The models of the catalog that this server can load, by id; one thread adds to them, and any reads them.

    With `dedicated` only jobs that ask for this server are claimed.
    """

    def __init__(self, *, catalog: Catalog, models: tuple[str, ...], dedicated: bool = False) -> None:
        self.catalog = catalog
        self.models = models
        self.dedicated = dedicated

    def add(self, models: Iterable[str]) -> None:
        """Offer these models, too; the order is the catalog's."""
        ids = {*self.models, *models}
        self.models = tuple(spec.id for spec in self.catalog.models if spec.id in ids)
