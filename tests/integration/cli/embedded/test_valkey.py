"""The embedded Valkey: a hidden password, one URL over restarts, an end with its parent."""

import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from cli.embedded import valkey as module
from cli.embedded.server import ServerFailed
from cli.embedded.valkey import EmbeddedValkey
from tests.support.service.processes import alive, descendants
from tests.support.wait import until

PARENT = """
import sys
from pathlib import Path
from cli.embedded.valkey import EmbeddedValkey
EmbeddedValkey(Path(sys.argv[1])).start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path):
    with EmbeddedValkey(tmp_path) as running:
        yield running


def test_it_answers_only_with_the_password(server):
    assert Redis.from_url(server.url).ping()
    without = "redis://" + server.url.partition("@")[2]
    with pytest.raises(AuthenticationError):
        Redis.from_url(without).ping()


def test_the_password_is_in_no_process_list_and_no_file(server):
    password = server.url.split(":")[2].partition("@")[0]
    words = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
    environment = Path(f"/proc/{server.process.pid}/environ").read_bytes()
    assert password.encode() not in words + environment + server.log.read_bytes()


def test_a_restart_keeps_the_url_and_drops_the_data(server):
    url = server.url
    Redis.from_url(url).set("key", "value")
    server.stop()
    server.start()
    assert url == server.url
    assert Redis.from_url(url).get("key") is None


def test_it_never_evicts(server):
    assert "noeviction" == Redis.from_url(server.url).config_get("maxmemory-policy")["maxmemory-policy"]


def test_a_port_that_was_taken_is_replaced(server, tmp_path, monkeypatch):
    taken = int(server.url.rpartition(":")[2].partition("/")[0])
    free = module._free_port
    ports = iter([taken])
    monkeypatch.setattr(module, "_free_port", lambda: next(ports, None) or free())
    with EmbeddedValkey(tmp_path / "second") as second:
        assert Redis.from_url(second.url).ping()
        assert f":{taken}/" not in second.url


@pytest.mark.long
def test_an_error_has_the_end_of_the_log(server, tmp_path, monkeypatch):
    taken = int(server.url.rpartition(":")[2].partition("/")[0])
    monkeypatch.setattr(module, "_free_port", lambda: taken)
    with pytest.raises(ServerFailed, match=r"(?s)Valkey ended with status 1 while it started:.*Address already in use"):
        EmbeddedValkey(tmp_path / "second").start()


def test_kill_9_of_the_parent_ends_it(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert b"ready\n" == parent.stdout.readline()
    (child,) = descendants(parent.pid)
    parent.kill()
    parent.communicate()
    until(lambda: not alive(child), what="Valkey to die")
