"""Stages in processes of their own."""

import os
import time
from collections.abc import Iterator
from multiprocessing import active_children

import pytest

from benchmarks.card import stages
from benchmarks.card.stages import StageFailed, figures_of
from benchmarks.report import Figure

HERE = "tests.unit.benchmarks.card.test_stages"
FOUND = Figure("found before", 1.0)


def good(value: float) -> Iterator[Figure]:
    yield Figure("a value", value, "s")


def bad() -> Iterator[Figure]:
    yield FOUND
    raise ValueError("no such card\nand more")


def dead() -> Iterator[Figure]:
    yield FOUND
    os._exit(7)


def endless() -> Iterator[Figure]:
    yield FOUND
    time.sleep(600)


def test_figures_come_from_another_process() -> None:
    assert [Figure("a value", 2.5, "s")] == list(figures_of(f"{HERE}:good", (2.5,), 60))


@pytest.mark.matrix
@pytest.mark.parametrize(("work", "why"), [("bad", "ValueError: no such card$"), ("dead", "died with 7")])
def test_an_ended_stage_keeps_its_figures(work: str, why: str) -> None:
    found: list[Figure] = []
    with pytest.raises(StageFailed, match=why):
        found.extend(figures_of(f"{HERE}:{work}", (), 60))
    assert [FOUND] == found


def test_an_overrun_ends_the_process_and_keeps_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.0, 61.0])
    monkeypatch.setattr(stages, "monotonic", lambda: next(now))
    found: list[Figure] = []
    with pytest.raises(StageFailed, match="ended after 60 s"):
        found.extend(figures_of(f"{HERE}:endless", (), 60))
    assert [FOUND] == found
    assert not active_children()
