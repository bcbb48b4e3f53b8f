"""The answer of the root to a program."""

from typing import Literal

import msgspec

State = Literal["ok", "degraded", "unavailable"]
"""As at /health/ready, which answers 503 in place of `unavailable`."""


class ServedModel(msgspec.Struct, frozen=True):
    """A model that a running server serves now."""

    id: str
    title: str
    modality: str


class ServiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The service: its state, what is served, and where the rest is found, as paths."""

    name: Literal["atelier"] = "atelier"
    version: str
    status: State
    problem: str | None
    models: list[ServedModel]
    documentation: str
    openapi: str
    readiness: str
