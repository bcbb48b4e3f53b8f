"""How the benchmarks make figures of what they saw."""

from pathlib import Path

from benchmarks.families.timed import LOG, busy_fraction, take_log
from benchmarks.running.cycles import leak


def test_the_busy_fraction_counts_time_once_and_gaps_not_at_all() -> None:
    assert 1.0 == busy_fraction([(0.0, 4.0), (1.0, 2.0), (4.0, 10.0)])
    assert 0.75 == busy_fraction([(10.0, 12.0), (13.0, 14.0)])


def test_a_log_is_sorted_and_taken_once(tmp_path: Path) -> None:
    (tmp_path / LOG).write_text("5.0 6.5\n1.0 2.0\n")
    assert [(1.0, 2.0), (5.0, 6.5)] == take_log(tmp_path)
    assert [] == take_log(tmp_path)


def test_a_leak_is_the_slope_after_the_first_cycles() -> None:
    """400 MB come with the first cycles, 2 MB with each later one."""
    found = [0, 400 * 2**20, *((500 + 2 * n) * 2**20 for n in range(5))]
    slope, grown = leak("a model", found, settling=2)
    assert 2.0 == round(slope.value, 9)
    assert 8.0 == grown.value
