"""The embedded PostgreSQL: its start, its restart after each kind of death, and its end."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from cli.embedded.leftovers import clear_leftovers
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.server import ServerFailed
from cli.local.start_wait import StartInterrupted
from tests.support.service.processes import alive, descendants
from tests.support.wait import until

PARENT = """
import sys
import threading
from pathlib import Path
from cli.embedded.postgres import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1]), durable=False).start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    """As root, tmp_path is closed to the account that PostgreSQL runs as; its name has a space."""
    return tmp_path / "my postgres"


@pytest.fixture
def server(folder):
    with EmbeddedPostgres(folder, durable=False) as running:
        yield running


def query(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchone()[0]


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def test_it_serves_the_database_under_our_role(server):
    assert "atelier" == query(server.url, "SELECT current_database()")
    assert "atelier" == query(server.url, "SELECT current_user")
    assert "UTF8" == query(server.url, "SHOW server_encoding")
    assert "" == query(server.url, "SHOW listen_addresses")


def test_only_our_own_role_can_connect(server):
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        psycopg.connect(server.url.replace("atelier@", "postgres@"))


@pytest.mark.long
def test_only_the_account_may_enter_the_socket_folder(server):
    folder = Path(query(server.url, "SHOW unix_socket_directories"))
    assert 0o700 == folder.stat().st_mode & 0o777


@pytest.mark.long
def test_fsync_is_left_out_only_when_asked(server, tmp_path):
    assert "off" == query(server.url, "SHOW fsync")
    with EmbeddedPostgres(tmp_path / "durable") as durable:
        assert "on" == query(durable.url, "SHOW fsync")


@pytest.mark.long
def test_a_restart_keeps_the_data_and_the_url(server):
    execute(server.url, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    url = server.url
    server.stop()
    assert server.process is None
    server.start()
    assert url == server.url
    assert 7 == query(url, "SELECT n FROM kept")


@pytest.mark.long
def test_variables_of_another_database_are_not_taken(server, monkeypatch):
    server.stop()
    other = {"PORT": "5433", "SERVICE": "prod", "OPTIONS": "-c search_path=nowhere", "TARGETSESSIONATTRS": "read-only"}
    for name, value in other.items():
        monkeypatch.setenv(f"PG{name}", value)
    server.start()
    assert '"$user", public' == query(server.url, "SHOW search_path")


def test_an_interrupted_start_leaves_no_half_cluster(folder):
    interrupted, before = threading.Event(), descendants(os.getpid())
    server = EmbeddedPostgres(folder, durable=False, interrupted=interrupted)
    threading.Thread(target=lambda: until((folder / "data.new").exists) and interrupted.set()).start()
    with pytest.raises(StartInterrupted):
        server.start()
    assert not (folder / "data").exists()
    assert before == descendants(os.getpid())


@pytest.mark.long
def test_stop_does_not_wait_for_clients(server):
    with psycopg.connect(server.url) as client:
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")


@pytest.mark.long
def test_it_starts_after_kill_9_of_the_postmaster(server):
    execute(server.url, "CREATE TABLE kept (n int)")
    family = descendants(server.process.pid)
    server.process.kill()
    server.process.wait()
    server.start()
    assert 0 == query(server.url, "SELECT count(*) FROM kept")
    assert not any(map(alive, family))


@pytest.mark.long
def test_kill_9_of_the_parent_ends_every_process(folder):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert b"ready\n" == parent.stdout.readline()
    family = descendants(parent.pid)
    assert len(family) > 3
    parent.kill()
    parent.communicate()
    until(lambda: not any(map(alive, family)), what="every PostgreSQL process to end")
    with EmbeddedPostgres(folder, durable=False) as server:
        assert 1 == query(server.url, "SELECT 1")


@pytest.mark.long
def test_a_stale_lock_file_with_a_used_pid_is_removed(server):
    server.stop()
    lock = server.data / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{server.data}\n0\n5432\n{server.folder / 'run'}\n\n0 0\nready\n")
    server.start()
    assert 1 == query(server.url, "SELECT 1")


@pytest.mark.long
def test_a_server_that_still_runs_on_the_folder_is_an_error(server):
    with pytest.raises(ServerFailed, match=f"another PostgreSQL still runs on .*: process {server.process.pid}"):
        clear_leftovers(server.data, timeout=0.1)
    assert (server.data / "postmaster.pid").exists()


@pytest.mark.long
@pytest.mark.matrix
@pytest.mark.parametrize("name", ["x" * 60 + "/" + "y" * 60, "a, b"])
def test_a_long_folder_name_moves_the_socket_elsewhere(tmp_path, name):
    deep = tmp_path / name
    server = EmbeddedPostgres(deep, durable=False)
    with server:
        sockets = Path(server.url.partition("host=")[2])
        assert 1 == query(server.url, "SELECT 1")
        assert 0o700 == sockets.stat().st_mode & 0o777
    assert not sockets.exists()


@pytest.mark.long
def test_an_interrupted_initdb_is_repeated(folder):
    (folder / "data.new" / "base").mkdir(parents=True)
    with EmbeddedPostgres(folder, durable=False) as server:
        assert 1 == query(server.url, "SELECT 1")
    assert not (folder / "data.new").exists()


@pytest.mark.long
def test_an_error_has_the_end_of_the_servers_log(server):
    server.stop()
    (server.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerFailed, match=r"(?s)ended with status 1 while it started:.*initialized by PostgreSQL"):
        server.start()
