"""The time that a session has, and what it says of a stage that gave nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.card import session as sessions
from benchmarks.card.cases import CASES, encodes, tiny
from benchmarks.card.session import Options, Session
from benchmarks.card.stages import StageFailed
from benchmarks.report import Figure


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """The stages that were begun with the seconds they were given; the compute stage fails after a figure."""
    began: list[tuple[str, float]] = []

    def figures_of(work: str, arguments: tuple[Any, ...], seconds: float) -> Iterator[Figure]:
        began.append((work.rpartition(":")[2], seconds))
        yield Figure(work, 1.0)
        if work.endswith("compute"):
            raise StageFailed("the device fell off")

    monkeypatch.setattr(sessions, "figures_of", figures_of)
    monkeypatch.setattr(sessions, "settings_in", lambda folder, models: {})
    return began


def test_a_failed_stage_costs_no_other(asked: list[tuple[str, float]]) -> None:
    session = Session("cpu", Options(is_tiny=True, seconds=100), clock=lambda: 0.0)
    session.measure(tiny(CASES[0]))
    assert [("weights", 100.0), ("compute", 100.0), ("engine", 100.0)] == asked
    assert ["z-image, compute: failed, the device fell off"] == session.notes
    assert 3 == len(session.figures)


def test_a_variant_is_compared_with_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def figures_of(work: str, arguments: tuple[Any, ...], seconds: float) -> Iterator[Figure]:
        model = arguments[0].model
        yield Figure(f"{model}: warm job", 3.0 if model == "sdxl" else 2.0, "s")

    monkeypatch.setattr(sessions, "figures_of", figures_of)
    monkeypatch.setattr(sessions, "settings_in", lambda folder, models: {})
    session = Session("cpu", Options(is_tiny=True), clock=lambda: 0.0)
    session.measure(tiny(next(case for case in CASES if case.model == "sdxl")))
    assert 1.5 == {one.name: one.value for one in session.figures}["sdxl-graphs: warm job of sdxl / its own"]


def test_a_stage_that_no_longer_fits_is_skipped(asked: list[tuple[str, float]]) -> None:
    now = iter([0.0, 90.0])
    session = Session("cpu", Options(seconds=100), clock=lambda: next(now))
    session.measure(tiny(CASES[0]))
    assert ["z-image, weights: skipped, it needs about 15 s and 10 s were left"] == session.notes
    assert [] == asked


def test_a_model_without_room_on_the_disk_is_skipped(asked: list[tuple[str, float]], monkeypatch: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(Path.cwd()))
    monkeypatch.setattr(sessions.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 5 * 10**9}))
    session = Session("cuda:0", Options(), clock=lambda: 0.0)
    session.measure(CASES[0])
    assert [] == asked
    assert "z-image: skipped, it needs 21.0 GB of" in session.notes[0]
    assert "where 5.0 are free" in session.notes[0]


def test_the_service_is_measured_only_when_asked(asked: list[tuple[str, float]]) -> None:
    session = Session("cpu", Options(with_service=True), clock=lambda: 0.0)
    session.measure(tiny(CASES[0]))
    session.measure(tiny(next(case for case in CASES if case.modality == "speech")))
    assert 1 == [stage for stage, _ in asked].count("service")


def test_only_pictures_are_encoded_without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.card.cases.find_spec", lambda name: None)
    assert ["z-image", "sdxl"] == [case.model for case in CASES if encodes(case)]


def test_all_stages_fit_into_the_budget_of_a_session_each() -> None:
    """A budget that no model fits into would measure nothing."""
    for case in CASES:
        assert sum(case.seconds[stage] for stage in ("weights", "compute", "engine")) < Options().seconds, case.model
