"""What a run shows of its steps: only what is asked for, once for each time; and where it is interrupted."""

import logging
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.runtime.protocol import Interrupted
from workers.engine.run_reports import RunReports
from workers.ipc.messages import Interrupt, PreviewPixels, PreviewText, SoundPart, StageProgress


class Sent:
    """A channel that keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, message: Any) -> None:
        self.messages.append(message)


class CountedPicture:
    """A picture that counts how often it is drawn."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> NDArray[np.uint8]:
        self.count += 1
        return np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def test_a_preview_is_drawn_once_for_each_time_it_is_asked_for() -> None:
    channel, asked, drawn = Sent(), set[str](), CountedPicture()
    show = RunReports(cast(Any, channel), {}, asked, ["a", "b"]).show_step("a")
    show(1, 4, drawn)
    asked |= {"a", "b"}
    show(2, 4, drawn)
    show(3, 4, drawn)
    assert 1 == drawn.count
    assert [PreviewPixels(ticket="a", step=2, of=4, width=3, height=2, pixels=bytes(range(18)))] == channel.messages
    assert {"b"} == asked


def test_a_text_is_sent_once_for_each_time_it_is_asked_for() -> None:
    channel, asked = Sent(), {"a"}
    show = RunReports(cast(Any, channel), {}, asked, ["a", "b"]).show_text("a")
    for step, text in enumerate(("one", "one two", "one two three"), 1):
        show(step, 9, lambda text=text: text)  # type: ignore[misc]
    assert [PreviewText(ticket="a", step=1, of=9, text="one")] == channel.messages
    assert set() == asked


def test_a_preview_that_fails_costs_the_job_nothing() -> None:
    def fail() -> NDArray[np.uint8]:
        raise ValueError("no such layout")

    channel = Sent()
    RunReports(cast(Any, channel), {}, {"a"}, ["a"]).show_step("a")(2, 4, fail)
    assert [] == channel.messages


def test_a_run_that_begins_again_counts_parts_from_the_first(tmp_path: Path) -> None:
    channel = Sent()
    reports = RunReports(cast(Any, channel), {}, set(), ["a"])
    play = reports.play("a", tmp_path / "parts")
    for value in (1, 2):
        play(np.full(3, value, np.float32), 24_000)
    reports.clear()
    play(np.full(3, 3, np.float32), 24_000)
    parts: list[SoundPart] = channel.messages
    assert [(0, 24_000), (1, 24_000), (0, 24_000)] == [(part.number, part.rate) for part in parts]
    assert [1, 2, 3] == [np.load(part.file)[0] for part in parts]


def test_the_log_says_how_far_an_interrupted_run_was(caplog: pytest.LogCaptureFixture) -> None:
    channel, interrupts = Sent(), dict[str, Interrupt]()
    reports = RunReports(cast(Any, channel), interrupts, set(), ["a-1", "b-1"])
    with caplog.at_level(logging.INFO):
        interrupts["a-1"] = Interrupt(ticket="a-1")
        reports.progress(0.25, "step")
        interrupts["b-1"] = Interrupt(ticket="b-1")
        with pytest.raises(Interrupted):
            reports.progress(0.5, "step")
    assert [StageProgress(ticket="b-1", fraction=0.25, stage="step")] == channel.messages
    assert ["engine: interrupted ticket=a-1 b-1 fraction=0.5000 stage=step"] == caplog.messages
