"""GET /models/v1: the models of the catalog."""

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from api.http.auth import needs
from api.http.database import Database
from api.openapi.documents import error_responses
from jobs.statements.queue.submit import served_models
from jobs.wire.models import (
    ModelAnswer,
    ModelDefaults,
    ModelLicense,
    ModelLimits,
    ModelList,
    ModelPreset,
    ModelRates,
    ModelUnsupported,
)
from pipelines.catalog.limits import service_limits
from pipelines.catalog.loader import Catalog, ModelSpec
from pipelines.catalog.requirements import input_counts
from pipelines.weights.footprint import Footprint


class ModelRoutes(Controller):
    """The route that lists models."""

    path = "/models/v1"
    tags = ("Service",)
    opt = needs("models")

    @get(responses=error_responses(), summary="Models")
    async def index(
        self,
        catalog: NamedDependency[Catalog],
        database: NamedDependency[Database],
        footprints: NamedDependency[dict[str, Footprint]],
    ) -> ModelList:
        """Return every model of the catalog, also those that no server serves at the moment."""
        served = {row[0] for row in await database.rows(served_models())}
        defaults: dict[str, str] = {}
        for spec in catalog.models:
            if spec.id in served:
                defaults.setdefault(spec.modality, spec.id)
        return ModelList(
            [
                _answer(spec, footprints[spec.id], spec.id in served, spec.id in defaults.values())
                for spec in catalog.models
            ]
        )


def _limits(spec: ModelSpec) -> ModelLimits:
    """Return the limits of the entry, with those that every model of its modality has."""
    own = msgspec.convert(spec.limits, ModelLimits, from_attributes=True)
    common = msgspec.structs.asdict(service_limits(spec.modality))
    return msgspec.structs.replace(own, max_scale=own.max_scale if spec.modality == "upscale" else None, **common)


def _answer(spec: ModelSpec, footprint: Footprint, available: bool, default: bool) -> ModelAnswer:
    return ModelAnswer(
        id=spec.id,
        title=spec.title,
        modality=spec.modality,
        tier=spec.tier,
        available=available,
        default=default,
        capabilities=spec.capabilities,
        languages=spec.languages,
        vocabulary=tuple(spec.vocabulary),
        templates=spec.templates,
        limits=_limits(spec),
        defaults=msgspec.convert(spec.defaults, ModelDefaults, from_attributes=True),
        quality={
            word: msgspec.convert(preset, ModelPreset, from_attributes=True) for word, preset in spec.quality.items()
        },
        price_usd=spec.price_usd,
        estimated_seconds=spec.estimated_seconds,
        licence=msgspec.convert(spec.licence, ModelLicense, from_attributes=True),
        disk_bytes=footprint.disk_bytes,
        disk_bytes_at_least=footprint.disk_bytes_at_least,
        weights_bytes=footprint.weights_bytes,
        vram_bytes=spec.vram_bytes,
        smallest_card_gb=footprint.smallest_card_gb,
        estimated_on=spec.estimated_on,
        is_measured=spec.is_measured,
        rates=msgspec.convert(spec.rates, ModelRates, from_attributes=True),
        inputs={str(name): count for name, count in input_counts(spec).items()},
        loras={
            name: msgspec.convert(lora.licence or spec.licence, ModelLicense, from_attributes=True)
            for name, lora in spec.loras.items()
        },
        takes_lora_files=bool(spec.lora_files),
        unsupported=msgspec.convert(spec.unsupported, ModelUnsupported, from_attributes=True),
    )
