"""A model in memory, as the residency counts it. No torch."""

import msgspec

from jobs.wire.servers import ResidentModel
from pipelines.catalog.variants import model_of, quantization_of
from pipelines.runtime.protocol import Pipeline
from workers.engine.model_source import LoadedModel


class ModelInUse(msgspec.Struct, frozen=True):
    """A model on the device, and how many outputs at once it has memory for."""

    pipeline: Pipeline
    batch: int


class ResidencyEntry:
    """A loaded model, or a variant of one, with where it is and who uses it."""

    def __init__(self, variant: str, loaded: LoadedModel, now: float) -> None:
        self.id = variant
        self.model = model_of(variant)
        self.loaded = loaded
        self.bytes = loaded.size
        """Bytes on the device, without CUDA graphs."""
        self.grows = loaded.bytes == 0
        """True until its first use: an ONNX session, which cannot be offloaded, allocates its working memory then."""
        self.on_device = True
        self.pinned = False
        self.users = 0
        self.used = now

    @property
    def is_free(self) -> bool:
        """Whether it may be evicted."""
        return not (self.pinned or self.users)

    @property
    def taken(self) -> int:
        """Bytes on the device while it is there, with its CUDA graphs."""
        return self.bytes + self.loaded.graph_bytes

    @property
    def fact(self) -> ResidentModel:
        """The entry as an inventory has it."""
        return ResidentModel(
            id=self.model,
            bytes=self.taken,
            where="device" if self.on_device else "host",
            pinned=self.pinned,
            warnings=self.loaded.warnings,
            quantization=quantization_of(self.id),
        )
