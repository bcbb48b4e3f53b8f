"""Answers of the health probes."""

from typing import Literal

import msgspec


class LivenessAnswer(msgspec.Struct, frozen=True):
    """The answer of a live API process."""

    status: Literal["ok"] = "ok"


class ReadinessAnswer(msgspec.Struct, frozen=True):
    """The readiness of the API. `degraded`: jobs run, but events are late because the broker is unreachable."""

    status: Literal["ok", "degraded"]
    database: Literal["ok"]
    broker: Literal["ok", "unreachable"]
