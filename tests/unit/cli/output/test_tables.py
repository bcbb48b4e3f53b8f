"""Tables on a terminal of 80 columns and in a pipe."""

import pytest

from cli.output.tables import few, print_facts, print_table

JOB = "job_0123456789abcdef0123456789abcdef"
TITLES = ["job", "status", "model", "waits for", "created", "seconds"]
ROW = [JOB, "queued", "qwen-image-edit-2511", "no_server_for_model", "2026-11-29 12:00:00", None]
OPTIONAL = ["waits for", "created", "seconds"]


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")


def test_a_terminal_leaves_optional_columns_out(terminal, capsys):
    print_table(TITLES, [ROW], optional=OPTIONAL)
    head, row, note = (line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert ["job", "status", "model"] == head.split()
    assert [JOB, "queued", "qwen-image-edit-2511"] == row.split()
    assert "A wider terminal shows waits for, created, seconds too." == note


def test_only_as_many_columns_are_left_out_as_must_be(terminal, capsys):
    titles, row = ["job", "status", "model", "seconds"], [JOB, "completed", "y" * 20, "x" * 20]
    print_table(titles, [row], optional=["model", "seconds"])
    assert row[:3] == capsys.readouterr().out.splitlines()[1].split()


def test_an_optional_column_is_folded_where_there_is_room(terminal, capsys):
    print_table(["job", "status", "title"], [[JOB, "completed", "a red circle on white " * 3]], optional=["title"])
    head, *rows = capsys.readouterr().out.splitlines()
    assert ["job", "status", "title"] == head.split()
    assert (f"{JOB}  completed  a red", 3) == (rows[0][: len(JOB) + 18], len(rows))


def test_a_pipe_has_every_column_and_folds_nothing(capsys):
    print_table(["name", "text"], [["a", "x " * 2000], ["b", None]], optional=["text"])
    assert ["name", "a", "b"] == [line.split()[0] for line in capsys.readouterr().out.splitlines()]


def test_the_first_column_is_folded_last(terminal, capsys):
    print_table(["job", "text"], [[JOB, "word " * 30]])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"{JOB}  word") for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_very_long_first_cell_is_folded_too(terminal, capsys):
    print_table(["url", "text"], [["u" * 200, "text"]])
    out = capsys.readouterr().out
    assert 200 == out.count("u") - 1
    assert max(map(len, out.splitlines())) <= 80


def test_facts_without_a_value_are_left_out(terminal, capsys):
    print_facts({"job": JOB, "model": "", "prompt": "word " * 30, "seconds": None})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["job", JOB]
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["job", "prompt"]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["ar", "da"], "ar, da"), (["ar", "da", "de", "el", "en"], "ar, da, de and 2 more")]
)
def test_few_of_many_names_are_shown(items, text):
    assert text == few(items)
