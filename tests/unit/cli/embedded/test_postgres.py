"""The folder of PostgreSQL's socket."""

from pathlib import Path

import pytest

from cli.embedded.postgres import SOCKET_PATH_LIMIT, _fits_a_socket

ROOM = SOCKET_PATH_LIMIT - len("/") - len("/.s.PGSQL.5432.lock")


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("x" * ROOM, True),
        ("x" * (ROOM + 1), False),
        ("數" * (ROOM // 3), True),
        ("數" * (ROOM // 3 + 1), False),
        ("a, b", False),
        ("\udcff", False),
    ],
)
def test_a_socket_has_few_bytes_of_utf8_and_no_comma(name, fits):
    assert fits is _fits_a_socket(Path("/", name))
