"""The environment of a job: the weights, the libraries and the device that its outputs follow from, beside its fields.

A worker makes thousands of jobs in one environment, so it is a row of its own, named by its digest, and a job has the
digest alone.
"""

import hashlib
from typing import Any

import msgspec

ATELIER = "atelier"
"""The backend that is the service's own engine."""


class BundleWeights(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The files of a model or of a LoRA as `weights.lock` knows them: where they are from, and the sha256 of each."""

    bundle: str
    repo: str | None = None
    revision: str | None = None
    url: str | None = None
    files: dict[str, str] = {}


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What the outputs of a job follow from, beside its fields: equal environments make equal pixels.

    `settings_sha256` is of what the catalog says of computing with the model, such as its default steps and its
    precision. `device` is the device as its maker calls it.
    """

    model: str
    settings_sha256: str
    weights: tuple[BundleWeights, ...] = ()
    versions: dict[str, str] = {}
    device: str = ""
    backend: str = ATELIER

    @property
    def digest(self) -> str:
        """The sha256 that names it."""
        return sha256_of(self)

    @property
    def own_weights(self) -> BundleWeights | None:
        """The files of the model itself; None for one without weights."""
        return next((one for one in self.weights if one.bundle == self.model), None)


def sha256_of(value: Any) -> str:
    """Return the sha256 of a value as JSON, in hexadecimal; equal values have the same."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
