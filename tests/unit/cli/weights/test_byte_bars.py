"""Progress of bytes: lines, and bars where a terminal is."""

import io

from rich.console import Console
from rich.progress import Progress

from cli.output.bar_times import ElapsedTime, RemainingTime
from cli.weights.byte_bars import ByteBars, ByteLines


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def lines(total: int | None) -> tuple[ByteLines, Clock, list[str]]:
    clock, printed = Clock(), list[str]()
    return ByteLines(printed.append, total, clock), clock, printed


def test_a_short_fetch_prints_nothing() -> None:
    made, clock, printed = lines(1000)
    made.begin("a", 1000)
    clock.now += 1
    made.advance("a", 1000)
    made.end("a")

    assert [] == printed


def test_a_line_has_bytes_rate_and_the_files_under_way() -> None:
    made, clock, printed = lines(10_000_000)
    made.begin("a", 8_000_000)
    made.begin("b", 2_000_000)
    clock.now += 4
    made.advance("a", 3_000_000)

    assert ["3.0 MB of 10.0 MB (30 %) after 4 s, 750.0 kB/s: a, b"] == printed


def test_lines_come_every_ten_seconds_also_without_a_byte() -> None:
    made, clock, printed = lines(None)
    made.begin("a", 0)
    for _ in range(100):
        clock.now += 1
        made.advance("a", 0)

    assert 10 == len(printed)
    assert "0 bytes after 2 s, 0 bytes/s: a" == printed[0]


def bars(total: int | None, clock: Clock) -> tuple[ByteBars, Progress]:
    console = Console(file=io.StringIO(), width=200)
    progress = Progress("{task.description}", RemainingTime(), ElapsedTime(), console=console, get_time=clock)
    return ByteBars(progress, total), progress


def shown(progress: Progress) -> str:
    console = progress.console
    with console.capture() as capture:
        console.print(progress.get_renderable())
    return " ".join(capture.get().split())


def test_a_bar_says_how_long_it_may_still_take() -> None:
    clock = Clock()
    made, progress = bars(1000, clock)
    assert "total 0 s" == shown(progress)
    for _ in range(4):
        clock.now += 1
        made.begin("a", 1000)
        made.advance("a", 10)
        made.end("a")

    assert "total 1 min 36 s left 4 s" == shown(progress)


def test_no_bar_says_that_nothing_is_left_of_an_unknown_length() -> None:
    for total in (None, 0):
        clock = Clock()
        made, progress = bars(total, clock)
        made.begin("a", 0)
        clock.now += 2
        made.advance("a", 500)
        clock.now += 2
        made.advance("a", 500)

        assert "total 4 s a 4 s" == shown(progress)


def test_a_bar_whose_bytes_have_come_promises_nothing() -> None:
    clock = Clock()
    made, progress = bars(1000, clock)
    made.begin("a", 1000)
    clock.now += 65
    made.advance("a", 1000)

    assert "total 1 min 5 s a 1 min 5 s" == shown(progress)
