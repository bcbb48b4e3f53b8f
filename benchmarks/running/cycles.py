"""Loading and unloading a model again and again in one engine: how long it takes, and what it leaves behind."""

import statistics
import time
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from benchmarks.report import Figure
from benchmarks.running.engine import Bench
from jobs.server_commands import Preload, Unload

IDLE_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Idle times that a model gets, one after the other, until its copy in host memory is made."""


class Cycles(msgspec.Struct, frozen=True):
    """What each cycle showed: seconds of coming to the device and of leaving it, and bytes once the model was away."""

    size: int
    """Bytes of the model on the device."""
    coming: list[float] = []
    leaving: list[float] = []
    used: list[int] = []
    """In use on the device."""
    resident: list[int] = []
    """Of the engine process."""


def cycle(
    made: Bench, model: str, modality: str, job: dict[str, Any], cycles: int, *, where: Literal["host", "disk"]
) -> Cycles:
    """Make the model leave and come `cycles` times, to where it is said to go; it does `job` before and after.

    Raises `AssertionError` where it does not go there, so that no figure is of something else.
    """
    made.make(model, modality, job)
    pid = made.engine.pid
    found = Cycles(size=next(one.bytes for one in made.engine.inventory.models if one.id == model))
    _send_away(made, model, where)
    for _ in range(cycles):
        found.coming.append(_seconds(made, Preload(model=model)))
        assert _place(made, model) == "device", made.engine.inventory.models
        found.leaving.append(_seconds(made, Unload()))
        assert _place(made, model) == where, made.engine.inventory.models
        found.used.append(made.engine.inventory.memory_used)
        found.resident.append(made.resident_memory())
    made.make(model, modality, job)
    assert pid == made.engine.pid, "the engine was restarted"
    return found


def leak(name: str, found: Sequence[int], settling: int) -> list[Figure]:
    """What grew from cycle to cycle, once the first `settling` are over."""
    kept = [size / 2**20 for size in found[settling:]]
    slope = statistics.linear_regression(range(len(kept)), kept).slope
    return [
        Figure(f"{name}: growth, slope over {len(kept)} cycles", slope, "MB/cycle", "≤ 1"),
        Figure(f"{name}: growth from cycle {settling + 1} to {len(found)}", kept[-1] - kept[0], "MB"),
    ]


def _send_away(made: Bench, model: str, where: Literal["host", "disk"]) -> None:
    """Unload the model; one that is to go to the host stays idle on the device until it can."""
    made.command(Unload())
    for seconds in IDLE_SECONDS if where == "host" else ():
        if _place(made, model) == where:
            return
        made.command(Preload(model=model))
        time.sleep(seconds)
        made.command(Unload())


def _seconds(made: Bench, command: Preload | Unload) -> float:
    began = time.perf_counter()
    made.command(command)
    return time.perf_counter() - began


def _place(made: Bench, model: str) -> str:
    return next((one.where for one in made.engine.inventory.models if one.id == model), "disk")
