"""Fresh databases for tests: a migrated template is copied, which takes some 30 ms."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.engine import make_url

from jobs.database import migrate


class Databases:
    """Makes databases on one server; `admin_url` is any database of it that may create others."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._prefix = f"atelier_test_{os.getpid()}"
        self._numbers = itertools.count(1)
        self._template = ""

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """URL of a database with the newest schema and no rows; dropped afterwards, whoever still uses it."""
        if not self._template:
            self._template = self._make_template()
        name = f"{self._prefix}_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        try:
            yield self.url_of(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def empty(self) -> Iterator[str]:
        """URL of a database without a schema, for tests of the migrations."""
        name = f"{self._prefix}_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield self.url_of(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Drop the template; matters on a server that outlives the tests."""
        if self._template:
            self._execute(f"DROP DATABASE {self._template} WITH (FORCE)")

    def url_of(self, database: str) -> str:
        """postgresql:// of another database of the same server."""
        url = make_url(self._admin_url).set(drivername="postgresql", database=database)
        return url.render_as_string(hide_password=False)

    def _make_template(self) -> str:
        name = f"{self._prefix}_template"
        self._execute(f"CREATE DATABASE {name}")
        migrate(self.url_of(name))
        return name

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(statement)
