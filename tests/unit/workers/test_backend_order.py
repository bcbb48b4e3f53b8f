"""Whose turn a model's jobs are, by the servers that live."""

from typing import Any

import msgspec
import pytest

from jobs.job import JobBackend
from pipelines.catalog.backends import ModelBackend
from pipelines.catalog.spec import ModelSpec
from tests.support.checkpoints.specs import spec as make_spec
from workers.backend_order import LivingServer, turn, waits


def ordered(*places: ModelBackend, **more: Any) -> ModelSpec:
    return make_spec(backends=msgspec.to_builtins(places), **more)


GPU = LivingServer(server_id="gpu-1", serves=("tiny",), state="idle")
PARTNER = LivingServer(server_id="backend:partner", serves=("tiny",), state="busy", remote=True)
LOCAL_FIRST = (ModelBackend(name="local"), ModelBackend(name="partner", after_seconds=20.0))
PARTNER_FIRST = (ModelBackend(name="partner"), ModelBackend(name="local"))


@pytest.mark.parametrize(
    ("order", "name", "servers", "waited", "reason"),
    [
        (LOCAL_FIRST, "local", [], 0.0, "primary"),
        (LOCAL_FIRST, "partner", [GPU], 20.0, "waited"),
        (LOCAL_FIRST, "partner", [PARTNER], 0.0, "primary_down"),
        (PARTNER_FIRST, "partner", [GPU], 0.0, "primary"),
        (PARTNER_FIRST, "local", [GPU, PARTNER], None, "waited"),
        (PARTNER_FIRST, "local", [GPU], 0.0, "primary_down"),
    ],
)
def test_the_first_that_is_up_has_the_turn(
    order: tuple[ModelBackend, ...], name: str, servers: list[LivingServer], waited: float | None, reason: str
) -> None:
    found = turn(ordered(*order), name, "openai", servers)
    assert (waited, JobBackend(name, "openai", reason)) == (found.waited_seconds, found.noted)


@pytest.mark.parametrize(
    "server",
    [
        LivingServer(server_id="gpu-1", serves=("other",), state="idle"),
        LivingServer(server_id="gpu-1", serves=("tiny",), state="idle", desired="cordoned"),
        LivingServer(server_id="gpu-1", serves=("tiny",), state="store_away"),
        LivingServer(server_id="gpu-1", serves=("tiny",), state="idle", dedicated=True),
        LivingServer(server_id="backend:other", serves=("tiny",), state="idle", remote=True),
    ],
)
def test_a_server_that_takes_no_such_jobs_is_not_up(server: LivingServer) -> None:
    assert "primary_down" == turn(ordered(*LOCAL_FIRST), "partner", "openai", [server]).noted.reason


def test_turns_of_one_wait_are_claimed_together() -> None:
    turns = [
        turn(ordered(*order), "partner", "openai", [GPU, PARTNER])
        for order in (LOCAL_FIRST, PARTNER_FIRST, (*PARTNER_FIRST,))
    ]
    assert [(0.0, 2), (20.0, 1)] == [(waited, len(group)) for waited, group in waits(turns)]
