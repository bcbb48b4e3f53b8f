"""GET /models/v1."""

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from api.http.database import Database
from api.openapi.documents import error_responses
from jobs.params.base import Modality
from jobs.statements.queue.submit import served_models
from pipelines.catalog.loader import Catalog, ModelSpec


class CatalogAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Part of an answer: the fields of a catalog entry that concern a caller."""


class ModelLimits(CatalogAnswer, frozen=True, kw_only=True):
    """What the model can take. Sides in pixels; of `native_sizes`, if any, another size is made and resized.

    `max_references`: pictures to look at; for a model without `image-to-image` an `input_image` is one of them.
    `max_seconds`: of film. `min_voice_seconds`: a reference voice is longer; 0 where the model does not say.
    """

    max_prompt_chars: int
    min_side: int
    max_side: int
    side_multiple: int | None
    native_sizes: tuple[tuple[int, int], ...]
    max_references: int
    max_seconds: float
    min_voice_seconds: float


class ModelPreset(CatalogAnswer, frozen=True, kw_only=True):
    """What a word of `quality` stands for; null is the model's default."""

    num_inference_steps: int | None
    guidance_scale: float | None


class ModelDefaults(ModelPreset, frozen=True, kw_only=True):
    """What the model uses for a field that is left out, and the frames of a second of film; null leaves it to the
    pipeline.
    """

    strength: float | None
    fps: int | None


class ModelLicence(CatalogAnswer, frozen=True, kw_only=True):
    """The terms of the weights."""

    name: str
    url: str


class ModelAnswer(CatalogAnswer, frozen=True, kw_only=True):
    """A model. `available`: a running server serves it now. `default`: a submit without `model` gets it now, unless it
    asks for what only a later one in the list can do. `languages`: those it speaks, varieties of them too; empty where
    the model does not say.
    """

    id: str
    title: str
    modality: Modality
    tier: str
    available: bool
    default: bool
    capabilities: tuple[str, ...]
    languages: tuple[str, ...]
    limits: ModelLimits
    defaults: ModelDefaults
    quality: dict[str, ModelPreset]
    price_usd: float
    estimated_seconds: float
    licence: ModelLicence


class ModelList(msgspec.Struct, frozen=True):
    """Every model of the catalog, in its order."""

    models: list[ModelAnswer]


class ModelRoutes(Controller):
    """What can be made."""

    path = "/models/v1"
    tags = ("Service",)

    @get(responses=error_responses(), summary="Models")
    async def index(self, catalog: NamedDependency[Catalog], database: NamedDependency[Database]) -> ModelList:
        """Every model this service knows, those that nobody serves at the moment too."""
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
        languages=spec.languages,
        limits=msgspec.convert(spec.limits, ModelLimits, from_attributes=True),
        defaults=msgspec.convert(spec.defaults, ModelDefaults, from_attributes=True),
        quality={
            word: msgspec.convert(preset, ModelPreset, from_attributes=True) for word, preset in spec.quality.items()
        },
        price_usd=spec.price_usd,
        estimated_seconds=spec.estimated_seconds,
        licence=msgspec.convert(spec.licence, ModelLicence, from_attributes=True),
    )
