"""Durations as people type and read them."""

import pytest
import rich_click as click

from cli.output.durations import Duration, format_duration, spell_seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45.0), ("90m", 5400.0), ("12h", 43_200.0), ("30d", 2_592_000.0), (" 1.5H ", 5400.0)]
)
def test_a_number_with_a_unit_is_seconds(text, seconds):
    assert seconds == Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1w", "1h30m", "forever"])
def test_other_texts_are_refused_with_examples(text):
    with pytest.raises(click.BadParameter, match=r"is not a duration \(examples: 45s, 90m, 12h, 30d\)"):
        Duration().convert(text, None, None)


def test_a_retention_may_be_forever_or_default():
    assert (-1.0, None) == tuple(Duration(retention=True).convert(text, None, None) for text in ("forever", "default"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "forever"), (0, "0s"), (45, "45s"), (90, "90s"), (5400, "90m"), (3600, "1h"), (86_400, "1d")],
)
def test_seconds_are_formatted_in_the_largest_whole_unit(seconds, text):
    assert text == format_duration(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.26, "0.3 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3599.7, "1 h"),
        (12_059, "3 h 20 min"),
        (180_000, "50 h"),
    ],
)
def test_a_time_that_is_shown_has_its_units(seconds, text):
    assert text == spell_seconds(seconds)
