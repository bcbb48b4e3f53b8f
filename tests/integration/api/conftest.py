"""One running API for all modules here, on tables emptied for each test; a live server; a simulated worker."""

import httpx
import pytest

from core.database import sync_engine
from core.settings import Settings
from core.storage.store import open_store
from jobs.events import Publisher
from jobs.scopes import ADMIN
from pipelines.catalog.loader import load_catalog
from tests.support.paths import CATALOG
from tests.support.rows.rows import Rows
from tests.support.rows.worker_stub import WorkerStub
from tests.support.servers.databases import CLEAR
from tests.support.service.api_server import api_server, make_key


@pytest.fixture(scope="session")
def usual_settings(postgres, valkey, tmp_path_factory):
    with postgres.fresh() as url:
        yield Settings(
            database_url=url,
            broker_url=valkey,
            storage_url=f"file://{tmp_path_factory.mktemp('objects')}",
            secret_key="a secret of the tests of 32 bytes",
            catalog=str(CATALOG),
        )


@pytest.fixture(scope="session")
def usual_api(usual_settings):
    """An API with these settings: its routes take half a second of a core to build."""
    with api_server(usual_settings) as server:
        yield server


@pytest.fixture(scope="module")
def settings(usual_settings):
    """The settings of the module's API; a module that replaces them has an API of its own."""
    return usual_settings


@pytest.fixture(scope="module")
def engine(settings):
    engine = sync_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def running(request, settings, usual_settings):
    if settings is usual_settings:
        yield request.getfixturevalue("usual_api")
        return
    with api_server(settings) as server:
        yield server


@pytest.fixture
def rows(engine, broker_url):
    """The database and the broker, emptied for this test."""
    with engine.begin() as connection:
        connection.exec_driver_sql(CLEAR)
    return Rows(engine)


@pytest.fixture
def api(running, rows):
    """The module's running API."""
    return running


@pytest.fixture
def server(rows):
    """A live server, as it claims jobs."""
    return rows.server()


@pytest.fixture
def tenant(rows):
    return rows.tenant()


@pytest.fixture
def key(rows, settings, tenant):
    return make_key(rows, settings, tenant)


@pytest.fixture
def client(api, key):
    with api.client(key) as client:
        yield client


@pytest.fixture
def admin(api, rows):
    """A client with an operator's key, of a tenant of its own."""
    with api.client(make_key(rows, api.settings, rows.tenant("operators"), scopes=[ADMIN])) as client:
        yield client


@pytest.fixture
def stranger(api, rows):
    """A client of another tenant."""
    with api.client(make_key(rows, api.settings, rows.tenant("another"))) as client:
        yield client


@pytest.fixture
def create(client, server):
    """Submit a job and give its id; fields of the body as keyword arguments."""

    def submit(**fields):
        answer = client.post("/generate/image/v1", json={"prompt": "a red circle"} | fields)
        assert 202 == answer.status_code, answer.text
        return answer.json()["job_id"]

    return submit


@pytest.fixture
def all_models(rows):
    """A live server that serves the whole catalog of the tests."""
    return rows.server("gpu-all", serves=[spec.id for spec in load_catalog(CATALOG).models])


@pytest.fixture
def store(api):
    """The API's store, emptied for this test."""
    store = open_store(api.settings)
    store.remove_prefix("")
    return store


@pytest.fixture
def upload(client):
    """Upload bytes the way a caller does; the input_id."""

    def send(content):
        made = client.post("/inputs/v1").json()
        with httpx.Client() as plain:
            assert 204 == plain.put(made["upload_url"], content=content, headers=made["headers"]).status_code
        return made["input_id"]

    return send


@pytest.fixture
def worker(rows, server, settings):
    """Claims and changes jobs the way a worker does, and publishes what it did."""
    return WorkerStub(rows, server, Publisher(settings))
