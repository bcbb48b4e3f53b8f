"""What a server offers to compute."""

from collections.abc import Iterable

from jobs.job import JobBackend
from pipelines.catalog.backends import LOCAL
from pipelines.catalog.loader import Catalog


class ServerOffer:
    """The models of the catalog that this server can load, by id; one thread adds to them, and any reads them.

    With `dedicated` only jobs that ask for this server are claimed. `reserved` are models whose jobs are left to remote
    backends, but for those that ask for this server; `notes` is what jobs note of who has them.
    """

    def __init__(self, *, catalog: Catalog, models: tuple[str, ...], dedicated: bool = False) -> None:
        self.catalog = catalog
        self.models = models
        self.dedicated = dedicated
        self.reserved = frozenset(spec.id for spec in catalog.models if spec.order[0] != LOCAL)
        self.notes: tuple[tuple[str, JobBackend], ...] = ()

    @property
    def open_models(self) -> tuple[str, ...]:
        """The models of which any job may be claimed."""
        return tuple(model for model in self.models if model not in self.reserved)

    def add(self, models: Iterable[str]) -> None:
        """Offer these models, too; the order is the catalog's."""
        ids = {*self.models, *models}
        self.models = tuple(spec.id for spec in self.catalog.models if spec.id in ids)
