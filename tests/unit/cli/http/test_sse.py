"""Reading server-sent events."""

import pytest

from cli.http.sse import Event, read_events


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id: 3\nevent: progress\ndata: {}\n\n", [Event("3", "progress", "{}")]),
        ("retry: 1000\n\n: keep-alive\n\ndata: x\n\n", [Event("", "message", "x")]),
        ("data: a\ndata: b\n\n", [Event("", "message", "a\nb")]),
        ("id: 1\ndata: a\n\ndata: b\n\n", [Event("1", "message", "a"), Event("1", "message", "b")]),
        ("event: progress\n\ndata: b\n\n", [Event("", "message", "b")]),
        ("data:a\n\n", [Event("", "message", "a")]),
        ("id: 1\ndata: cut off", []),
    ],
)
def test_events_are_read_as_the_standard_says(text, expected):
    assert expected == list(read_events(text.split("\n")))
