"""Answers of the health probes."""

from typing import Literal

import msgspec


class LivenessAnswer(msgspec.Struct, frozen=True):
    """The API process answers."""

    status: Literal["ok"] = "ok"


class ReadinessAnswer(msgspec.Struct, frozen=True):
    """`degraded`: jobs are accepted and run, but events and wake-ups are late because the broker is unreachable."""

    status: Literal["ok", "degraded"]
    database: Literal["ok"]
    broker: Literal["ok", "unreachable"]
