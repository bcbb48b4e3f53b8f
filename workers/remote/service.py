"""The remote backends of the catalog on this CPU worker: none unless a model's order names one."""

import logging
from importlib.metadata import version

import msgspec
from sqlalchemy import Engine

from core.settings import Settings
from core.storage.store import Store
from pipelines.catalog.backends import Backend
from pipelines.catalog.loader import Catalog, load_catalog
from workers.gpu.job.job_store import JobStore
from workers.gpu.job.progress_writer import ProgressWriter
from workers.ipc.child_process import ChildProcess
from workers.remote.circuit import BackendCircuit
from workers.remote.decoder import RemoteDecoder
from workers.remote.job import RemoteServices
from workers.remote.server import BackendServer
from workers.scratch import Scratch
from workers.store_watch import StoreWatch

log = logging.getLogger(__name__)


class BackendService:
    """The servers of all backends, with one encoder and one decoder between them. Both methods may block."""

    def __init__(self, settings: Settings, db: Engine, store: Store) -> None:
        self._settings = settings
        self._db = db
        self._store = store
        self._servers: list[BackendServer] = []
        self._encoder = ChildProcess("workers.engine.encoder")
        self._decoder: RemoteDecoder | None = None
        self._store_watch = StoreWatch(store)
        self._scratches: list[Scratch] = []

    def start(self) -> None:
        """Start a server for each backend; nothing is started without one."""
        catalog = load_catalog(self._settings.catalog)
        used, keys = used_backends(catalog), read_keys(self._settings.backend_keys)
        if not used:
            return
        self._decoder = RemoteDecoder(self._settings)
        self._store_watch.start()
        for backend in used:
            self._servers.append(self._server(backend, catalog, keys.get(backend.name, "")))
        for server in self._servers:
            server.start()

    def stop(self) -> None:
        """Stop all of them, each as `BackendServer.stop` does; the encoder and the decoder at last."""
        for server in self._servers:
            server.begin_stop()
        for server in self._servers:
            server.stop()
        self._encoder.stop()
        self._store_watch.stop()
        if self._decoder is not None:
            self._decoder.close()
        for scratch in self._scratches:
            scratch.remove()

    def _server(self, backend: Backend, catalog: Catalog, key: str) -> BackendServer:
        settings = msgspec.structs.replace(self._settings, server_id=backend.server_id)
        scratch, job_store = Scratch(settings), JobStore(self._db, settings)
        scratch.remove_leftovers()
        self._scratches.append(scratch)
        assert self._decoder is not None
        services = RemoteServices(
            settings=settings,
            backend=backend,
            key=key,
            circuit=BackendCircuit(settings.backend_breaker_seconds),
            job_store=job_store,
            store=self._store,
            store_watch=self._store_watch,
            encoder=self._encoder,
            decoder=self._decoder,
            progress=ProgressWriter(job_store, settings.progress_seconds),
            versions={"atelier": version("atelier")},
        )
        return BackendServer(services, catalog, self._db, scratch)


def used_backends(catalog: Catalog) -> tuple[Backend, ...]:
    """Return the backends that a model's order names."""
    named = {name for spec in catalog.models for name in spec.order}
    return tuple(backend for backend in catalog.backends if backend.name in named)


def read_keys(text: str) -> dict[str, str]:
    """Return API keys by the names of backends, from lines or a comma-separated list of `name=key`.

    Raises `ValueError` for a part without a name, and shows none of it.
    """
    keys: dict[str, str] = {}
    parts = [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
    for number, part in enumerate(parts, 1):
        name, equals, key = part.partition("=")
        if not (name.strip() and equals and key.strip()):
            raise ValueError(f"ATELIER_BACKEND_KEYS: part {number} is not name=key")
        keys[name.strip()] = key.strip()
    return keys


def check_backends(settings: Settings) -> None:
    """Raise `ValueError` for a catalog, or for keys, with which no backend can be asked."""
    used = {backend.name for backend in used_backends(load_catalog(settings.catalog))}
    unknown = sorted(read_keys(settings.backend_keys).keys() - used)
    if unknown:
        log.warning("backends: keys for none of the catalog names=%s", ",".join(unknown))
