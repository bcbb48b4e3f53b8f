"""The environment of libpq, PostgreSQL's client."""

import os
import re

VARIABLE = re.compile("PG[A-Z]+")
"""PGPORT, PGSERVICE, PGOPTIONS and their like: defaults that libpq adds to every URL."""


def forget_libpq_variables() -> None:
    """Have this process, and the children that it starts from now on, connect as the URL alone says.

    A command that works with an embedded server is not meant by what its shell says of another one.
    """
    for name in [name for name in os.environ if VARIABLE.fullmatch(name)]:
        del os.environ[name]
