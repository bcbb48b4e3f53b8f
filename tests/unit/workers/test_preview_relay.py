"""When previews are asked for, and what becomes of them."""

import base64
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from typing import Any, cast

import pytest
from PIL import Image

from tests.support.gpu_worker.fakes import FakeClock, FakePreviews
from workers.preview_relay import INTERVAL_SECONDS, TEXT_SECONDS, PreviewRelay


class Pool:
    """A pool that works at once."""

    def submit(self, function: Callable[..., object], *arguments: object) -> None:
        function(*arguments)


class Bench:
    """A relay around fakes; `step` is what the engine's report of a step does."""

    def __init__(self) -> None:
        self.previews, self.clock, self.asked = FakePreviews(), FakeClock(), list[str]()
        self.relay = PreviewRelay(cast(Any, self.previews), self.asked.append, self.clock)
        self.relay._pool = cast(Any, Pool())
        self.relay.begin()

    def step(self, number: int = 1, seconds: float = 0.0) -> None:
        """Let a step take so long; show a preview if one was asked for, and report."""
        self.clock.advance(seconds)
        ticket, job_id = f"job_{number}-1", f"job_{number}"
        if ticket in self.asked:
            self.asked.remove(ticket)
            self.relay.show(ticket, job_id, 2, 4, (1, 1), b"\xff\x00\x00")
        self.relay.look(ticket, job_id)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_without_followers_nothing_is_asked_of_the_engine(bench: Bench) -> None:
    for _ in range(100):
        bench.step(seconds=0.1)
        assert [] == bench.asked
    assert [] == bench.previews.published
    assert bench.previews.looks <= 100 * 0.1 / INTERVAL_SECONDS


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.24, 0.3, 0.5, 0.7, 3.0])
def test_a_job_shows_at_most_two_previews_a_second(bench: Bench, seconds: float) -> None:
    bench.previews.followed.add("job_1")
    times = list[float]()
    while bench.clock.now < 1030.0:
        bench.step(seconds=seconds)
        times += [bench.clock.now] * (len(bench.previews.published) - len(times))
    assert len(times) >= 30 / max(2 * seconds, 2 * INTERVAL_SECONDS) - 1
    assert all(later - earlier >= INTERVAL_SECONDS for earlier, later in pairwise(times))


def test_each_job_of_a_run_is_looked_for(bench: Bench) -> None:
    bench.previews.followed.add("job_2")
    for number in (1, 2, 1, 2):
        bench.step(number)
    assert ["job_2"] == [job_id for job_id, _ in bench.previews.published]


def test_the_next_run_is_looked_for_at_its_first_report(bench: Bench) -> None:
    bench.step()
    bench.relay.begin()
    bench.step()
    assert 2 == bench.previews.looks


def test_a_preview_is_a_url_of_a_webp(bench: Bench) -> None:
    bench.relay.show("job_1-1", "job_1", 3, 9, (2, 1), b"\xff\x00\x00" * 2)
    ((job_id, preview),) = bench.previews.published
    assert ("job_1", 3, 9) == (job_id, preview.step, preview.of)
    head, _, body = preview.image.partition(",")
    image = Image.open(BytesIO(base64.b64decode(body)))
    assert ("data:image/webp;base64", (2, 1)) == (head, image.size)


def test_pixels_that_are_too_few_are_dropped(bench: Bench) -> None:
    bench.relay.show("job_1-1", "job_1", 3, 9, (2, 2), b"\xff")
    assert [] == bench.previews.published


def test_parts_of_a_text_come_ten_times_a_second(bench: Bench) -> None:
    bench.previews.followed.add("job_1")
    bench.relay.look("job_1-1", "job_1")
    for number in range(20):
        assert ["job_1-1"] == bench.asked, number
        bench.asked.clear()
        bench.relay.show_text("job_1-1", "job_1", number, 100, "word " * number)
        bench.relay.look("job_1-1", "job_1")
        assert [] == bench.asked
        bench.clock.advance(TEXT_SECONDS)
        bench.relay.look("job_1-1", "job_1")
    texts = [preview.text for _, preview in bench.previews.published]
    assert ["word " * number for number in range(20)] == texts
