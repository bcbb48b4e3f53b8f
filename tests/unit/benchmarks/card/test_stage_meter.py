"""Seconds and peaks of each stage of a job."""

import numpy as np
import pytest

from benchmarks.card import stage_meter
from benchmarks.card.stage_meter import StageMeter


def test_each_stage_has_its_seconds_and_its_own_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 3.0, 6.0, 10.0])
    peaks = iter([150, 900, 300, 700])
    monkeypatch.setattr(stage_meter.time, "perf_counter", lambda: next(now))
    monkeypatch.setattr(stage_meter, "_peak", lambda device: next(peaks))
    monkeypatch.setattr(stage_meter, "_reset_peak", lambda device: 100)
    meter = StageMeter("cpu")
    context = meter.context(seed=3)
    for stage in ("step", "step", "decode"):
        context.progress(0.5, stage)
    meter.end()
    assert {"prepare": 1.0, "step": 5.0, "decode": 4.0} == dict(meter.seconds)
    assert {"prepare": 50, "step": 800, "decode": 600} == dict(meter.peaks)


def test_the_peak_of_a_process_is_seen_after_it_is_over() -> None:
    meter = StageMeter("cpu")
    np.ones(200_000_000, np.uint8).sum()
    meter.end()
    assert 150_000_000 < meter.peaks["prepare"] < 400_000_000
