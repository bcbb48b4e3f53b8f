"""OpenAI's routes of models: those that are served now, by the ids of the catalog."""

from typing import Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from api.http.auth import needs
from api.http.database import Database
from core.errors.fields import UnknownModel
from jobs.statements.queue.submit import served_models
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

OWNER = "atelier"
CREATED = 1_700_000_000
"""Seconds since 1970 at which OpenAI's clients may believe a model was made; the catalog has no such time."""
UNKNOWN = "The model {name!r} does not exist; GET /models lists those that do."


class OpenAIModel(msgspec.Struct, frozen=True, tag_field="object", tag="model"):
    """A model."""

    id: str
    created: int = CREATED
    owned_by: str = OWNER


class OpenAIModelRoutes(Controller):
    """Routes of models."""

    path = "/models"
    opt = needs("models")

    @get()
    async def index(self, catalog: NamedDependency[Catalog], database: NamedDependency[Database]) -> dict[str, Any]:
        """List the models that a server serves now."""
        served = {row[0] for row in await database.rows(served_models())}
        return {"object": "list", "data": [OpenAIModel(spec.id) for spec in catalog.models if spec.id in served]}

    @get("/{name:path}")
    async def show(
        self, name: FromPath[str], catalog: NamedDependency[Catalog], aliases: NamedDependency[Aliases]
    ) -> OpenAIModel:
        """Return a model of the catalog, or a name that stands for one."""
        asked = name.lstrip("/")
        known = {spec.id for spec in catalog.models}.union(*aliases.models.values())
        if asked not in known:
            raise UnknownModel(UNKNOWN.format(name=asked[:200]), field="$.model")
        return OpenAIModel(asked)
