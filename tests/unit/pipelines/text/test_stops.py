"""Where a text ends, and what of an unfinished one no further token changes."""

import pytest

from pipelines.text.stops import first_stop, settled


@pytest.mark.parametrize(
    ("text", "stops", "end"),
    [
        ("one\ntwo", ("\n",), 3),
        ("one END two", ("END", "one E"), 0),
        ("one two", ("three",), None),
        ("one two", (), None),
        ("", ("a",), None),
    ],
)
def test_the_first_stop_counts(text, stops, end):
    assert end == first_stop(text, stops)


@pytest.mark.parametrize(
    ("text", "stops", "shown"),
    [
        ("one two", (), "one two"),
        ("one E", ("END",), "one "),
        ("one EN", ("END", "N"), "one E"),
        ("one END two", ("END",), "one "),
        ("aab", ("aabc", "bx"), ""),
        ("one \N{REPLACEMENT CHARACTER}", (), "one "),
    ],
)
def test_what_may_still_change_is_not_shown(text, stops, shown):
    assert shown == settled(text, stops)


@pytest.mark.parametrize("stops", [("END",), ("EN",), ("two", "D t")])
def test_what_was_shown_stays(stops):
    whole, before = "one EED END two END", ""
    for length in range(len(whole) + 1):
        shown = settled(whole[:length], stops)
        if first_stop(whole[:length], stops) is None:
            assert shown.startswith(before)
            before = shown
    assert whole[: first_stop(whole, stops)].startswith(before)
