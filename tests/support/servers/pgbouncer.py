"""A real PgBouncer in transaction mode between a test's service and its PostgreSQL; all else as PgBouncer has it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import URL
from sqlalchemy.engine import make_url

from cli.embedded.account import Account, cluster_account
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.server import await_ready, environment, open_log
from core.processes import spawn, stop
from tests.support.ports import free_port
from tests.support.servers.pgbouncer_install import find_pgbouncer, library_path

START_TIMEOUT = 60.0
USER = "atelier"
CONFIGURATION = """
[databases]
* = {server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
"""


class AdmittingPostgres(EmbeddedPostgres):
    """A PostgreSQL that admits the account of PgBouncer from each start on."""

    def start(self) -> None:
        """Start it, and let the account in."""
        super().start()
        _admit(cluster_account(self.data), self)


class Pooler:
    """Where a running PgBouncer is; it knows every database of its server."""

    def __init__(self, port: int, password: str) -> None:
        self._url = URL.create("postgresql", USER, password, "127.0.0.1", port)

    def url_of(self, database: str) -> str:
        """postgresql:// of a database, through PgBouncer."""
        return self._url.set(database=database).render_as_string(hide_password=False)


@contextmanager
def pgbouncer(folder: Path, database_url: str, embedded: EmbeddedPostgres | None = None) -> Iterator[Pooler]:
    """PgBouncer before the server of `database_url`, as long as the context lasts; `embedded` is that server if ours.

    It refuses to run as root: root starts it as the account that PostgreSQL has.
    """
    program = find_pgbouncer()
    assert program is not None
    account = cluster_account(folder / "new")
    if embedded is not None:
        _admit(account, embedded)
    account.make_folder(folder)
    port, password = free_port(), secrets.token_urlsafe()
    users, configuration = folder / "users.txt", folder / "pgbouncer.ini"
    account.write(users, f'"{USER}" "{password}"\n')
    server = _server(make_url(database_url))
    account.write(configuration, CONFIGURATION.format(server=server, port=port, users=users))
    pooler = Pooler(port, password)

    def answers() -> bool:
        try:
            psycopg.connect(pooler.url_of("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    with open_log(folder / "log") as log:
        process = spawn(
            [str(program), str(configuration)],
            env=environment() | {"LD_LIBRARY_PATH": library_path()},
            name="pgbouncer",
            user=account.user,
            stdout=log,
            stderr=log,
        )
    try:
        await_ready("pgbouncer", process, answers, folder / "log", START_TIMEOUT)
        yield pooler
    finally:
        stop(process, 5.0)


def _admit(account: Account, embedded: EmbeddedPostgres) -> None:
    """Let the account in by the socket; ours is let in anyway."""
    if account.user is None:
        return
    with (embedded.data / "pg_ident.conf").open("a") as file:
        file.write(f"us {account.user} {USER}\n")
    with psycopg.connect(embedded.url, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")


def _server(url: URL) -> str:
    """The parameters of the server's connections, as PgBouncer writes them."""
    known = {
        "host": url.host or url.query.get("host"),
        "port": url.port or url.query.get("port"),
        "user": url.username,
        "password": url.password,
    }
    return " ".join(f"{name}='{str(value).replace(chr(39), chr(39) * 2)}'" for name, value in known.items() if value)
