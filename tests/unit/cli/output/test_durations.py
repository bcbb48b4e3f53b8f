"""Spans of time as people type them."""

import pytest
import rich_click as click

from cli.output.durations import Duration, format_duration


@pytest.mark.parametrize(
    ("said", "seconds"), [("45s", 45.0), ("90m", 5400.0), ("12h", 43_200.0), ("30d", 2_592_000.0), (" 1.5H ", 5400.0)]
)
def test_a_number_and_its_unit(said, seconds):
    assert seconds == Duration().convert(said, None, None)


@pytest.mark.parametrize("said", ["", "5", "h", "-1h", "1w", "1h30m", "forever"])
def test_anything_else_is_refused_with_what_to_write(said):
    with pytest.raises(click.BadParameter, match="write 45s, 90m, 12h, 30d"):
        Duration().convert(said, None, None)


def test_what_is_kept_may_be_kept_forever_or_by_default():
    assert (-1.0, None) == tuple(Duration(keeping=True).convert(said, None, None) for said in ("forever", "default"))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "forever"), (0, "0s"), (45, "45s"), (90, "90s"), (5400, "90m"), (3600, "1h"), (86_400, "1d")],
)
def test_spoken_in_the_largest_whole_unit(seconds, said):
    assert said == format_duration(seconds)
