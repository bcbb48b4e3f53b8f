"""The ratios of a row of jobs, with an engine and a loop that are made up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.card import engine as stage
from benchmarks.card.cases import CASES, Case, tiny
from benchmarks.running.cycles import Cycles

CASE = tiny(CASES[0])


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Cold jobs take 8 s and warm ones 2, a row 5 of which 4 are computing; the loop takes 4, and 6 with encoding."""
    encoding: list[bool] = []

    @contextmanager
    def bench(settings: dict[str, str], *, encodes: bool) -> Iterator[None]:
        encoding.append(encodes)
        yield None

    @contextmanager
    def bare_loop(settings: dict[str, str]) -> Iterator[Any]:
        yield lambda model, body, count, *, encode: SimpleNamespace(total=6.0 if encode else 4.0)

    seconds = iter([8.0, 2.0])
    cycles = Cycles(size=8 * 10**9, coming=[0.2, 0.4, 0.4], leaving=[0.1] * 3, used=[0, 0, 2**20], resident=[7] * 3)
    monkeypatch.setattr(stage, "bench", bench)
    monkeypatch.setattr(stage, "bare_loop", bare_loop)
    monkeypatch.setattr(stage, "seconds_of", lambda *job: next(seconds))
    monkeypatch.setattr(stage, "take_log", lambda folder: [(0.0, 4.0), (4.5, 5.0)])
    monkeypatch.setattr(stage, "_row", lambda made, case: 5.0)
    monkeypatch.setattr(stage, "cycle", lambda *job, where: cycles)
    return encoding


def figures(case: Case) -> dict[str, float]:
    found = stage.engine(case, {}, Path(), 3)
    return {figure.name.removeprefix(f"{case.model}: "): figure.value for figure in found}


def test_ratios_are_of_the_loop_and_the_row(made_up: list[bool]) -> None:
    found = figures(CASE)
    assert 4.0 == found["6, cold process to first file / warm job"]
    assert (0.8, 1.2) == (found["1, engine / bare loop, compute only"], found["2, engine / loop that encodes inline"])
    assert 2.5 == found["engine, seconds a job in a row"]
    assert 0.9 == found["3, engine-busy fraction"]
    assert (20.0, 1.0) == (found["5, wake rate"], found["device memory once away, last cycle - first"])
    assert [True] == made_up


def test_without_a_codec_nothing_is_encoded(made_up: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.card.cases.find_spec", lambda name: None)
    film = next(case for case in CASES if case.modality == "video")
    assert "2, engine / loop that encodes inline" not in figures(film)
    assert [False] == made_up
