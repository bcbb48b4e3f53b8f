"""Progress elsewhere than on a terminal."""

from cli.weights.byte_bars import ByteLines


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
