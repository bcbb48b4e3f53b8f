"""GET /models/v1."""

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from api.database import Database
from api.documents import refusals
from jobs.errors import DatabaseUnavailable
from jobs.params import Modality
from jobs.statements.submit import served_models
from pipelines.catalog import Catalog
from pipelines.spec import Capability, Defaults, Licence, Limits, ModelSpec, Preset, Quality


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A catalogue entry as callers see it; `available` means that a running server serves it now."""

    id: str
    title: str
    modality: Modality
    tier: str
    available: bool
    default: bool
    capabilities: tuple[Capability, ...]
    limits: Limits
    defaults: Defaults
    quality: dict[Quality, Preset]
    price_usd: float
    estimated_seconds: float
    licence: Licence


class ModelList(msgspec.Struct, frozen=True):
    """Every model of the catalogue, in its order."""

    models: list[ModelAnswer]


class ModelRoutes(Controller):
    """What can be made."""

    path = "/models/v1"
    tags = ("Service",)

    @get(responses=refusals(DatabaseUnavailable), summary="Models")
    async def index(self, catalog: NamedDependency[Catalog], database: NamedDependency[Database]) -> ModelList:
        """The catalogue. `default` marks the model of its modality that a submit without `model` gets now."""
        served = {row[0] for row in await database.rows(served_models())}
        defaults: dict[str, str] = {}
        for spec in catalog.models:
            if spec.id in served:
                defaults.setdefault(spec.modality, spec.id)
        return ModelList([_answer(spec, spec.id in served, spec.id in defaults.values()) for spec in catalog.models])


def _answer(spec: ModelSpec, available: bool, default: bool) -> ModelAnswer:
    return ModelAnswer(
        id=spec.id,
        title=spec.title,
        modality=spec.modality,
        tier=spec.tier,
        available=available,
        default=default,
        capabilities=spec.capabilities,
        limits=spec.limits,
        defaults=spec.defaults,
        quality=spec.quality,
        price_usd=spec.price_usd,
        estimated_seconds=spec.estimated_seconds,
        licence=spec.licence,
    )
