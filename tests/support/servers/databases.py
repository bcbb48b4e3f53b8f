"""Fresh databases for tests.

Copying a migrated template takes 100 ms and more, so what a test has left is emptied for the next one.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.engine import make_url

from jobs.schema.migrate import migrate
from jobs.schema.tables import metadata

CLEAR = f"""
DO $$ DECLARE written text; BEGIN
    SELECT string_agg(name, ', ') INTO written FROM unnest(ARRAY{sorted({*metadata.tables} - {"tenants"})}) AS name
    WHERE pg_relation_size(name::regclass) > 0 OR name = 'inputs' AND pg_relation_size('jobs') > 0
        OR name = 'batch_lines' AND pg_relation_size('batches') > 0;
    IF written IS NOT NULL THEN EXECUTE 'TRUNCATE ' || written; END IF;
    DELETE FROM tenants;
END $$
"""
"""Takes every row out of every table; afterwards rows lie in the order in which they are inserted, but tenants.

Truncating costs 1 to 25 ms a table, by the number of its indexes, and a test writes to few. Inputs refer to jobs, and
lines to batches.
"""
OTHERS_OUT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SHAPE = """
SELECT
    (SELECT sum(hashtext(concat(relname, relnatts, relchecks, relhastriggers, reloptions, relacl)))
     FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    (SELECT sum(hashtext(concat(relname, attname, atttypid, attnotnull, atthasdef)))
     FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace),
    (SELECT sum(hashtext(concat(proname, prosrc))) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    (SELECT count(*) FROM pg_statistic JOIN pg_class ON starelid = pg_class.oid
     WHERE relnamespace = 'public'::regnamespace),
    (SELECT count(*) FROM pg_db_role_setting JOIN pg_database ON setdatabase = oid WHERE datname = current_database())
"""
"""What is no longer the same after a change of the schema, of what the planner knows, or of a database's settings."""


class Databases:
    """Makes databases on one server; `admin_url` is any database of it that may create others.

    `through` gives the URLs of databases that tests get, by name; without it tests connect to the server itself.
    """

    def __init__(self, admin_url: str, through: Callable[[str], str] | None = None) -> None:
        self._admin_url = admin_url
        self._through = through or self.url_of
        self._prefix = f"atelier_test_{os.getpid()}"
        self._numbers = itertools.count(1)
        self._template = ""
        self._shape: object = None
        self._emptied: list[str] = []

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """URL of a database with the newest schema and no rows; taken away afterwards, even while it is used."""
        name = self._emptied.pop() if self._emptied else self._copy()
        try:
            yield self._through(name)
        finally:
            self._take_back(name)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """URL of a database without a schema, for tests of the migrations."""
        name = self._next_name()
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield self._through(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drop what is left; matters on a server that outlives the tests."""
        for name in filter(None, (self._template, *self._emptied)):
            self._drop(name)

    def url_of(self, database: str) -> str:
        """postgresql:// of another database of the same server."""
        url = make_url(self._admin_url).set(drivername="postgresql", database=database)
        return url.render_as_string(hide_password=False)

    def _next_name(self) -> str:
        return f"{self._prefix}_{next(self._numbers)}"

    def _copy(self) -> str:
        if not self._template:
            self._template = f"{self._prefix}_template"
            self._execute(f"CREATE DATABASE {self._template}")
            migrate(self.url_of(self._template))
        name = self._next_name()
        self._execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        if self._shape is None:
            with psycopg.connect(self.url_of(name)) as connection:
                self._shape = connection.execute(SHAPE).fetchone()
        return name

    def _take_back(self, name: str) -> None:
        """Empty a database for the next test under another name, which a process that still uses it does not know."""
        try:
            with psycopg.connect(self.url_of(name), autocommit=True) as connection:
                connection.execute(OTHERS_OUT)
                is_reusable = connection.execute(SHAPE).fetchone() == self._shape
                if is_reusable:
                    connection.execute(CLEAR)
            if is_reusable:
                other = self._next_name()
                self._execute(f"ALTER DATABASE {name} RENAME TO {other}")
                self._emptied.append(other)
                return
        except psycopg.Error:
            pass  # a process came back, or the schema is another one
        self._drop(name)

    def _drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(statement)
