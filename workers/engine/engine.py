"""The engine process: owns the device and nothing else. `python -m workers.engine.engine FD`.

It has no credential and no network: it reads weights and clean inputs, writes arrays, and answers over one socket. It
ends when that socket closes.
"""

import logging
import os
import queue
import socket
import sys
import threading
from contextlib import nullcontext, suppress

import msgspec

from core.errors.base import AtelierError
from core.errors.failures import GpuOutOfMemory, NotFinite, PipelineFailed
from core.logs import log_context, start_logs
from core.settings import read_settings
from jobs.job import JobError
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.device import configure
from pipelines.runtime.gpu_check import DeviceUnusable
from pipelines.runtime.protocol import Interrupted
from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory
from pipelines.weights.hash_cache import HashCache, HashedFile
from workers.engine.executor import RequestExecutor
from workers.engine.family_imports import FamilyImports, without_cuda
from workers.engine.memory_limits import limits_of, peer_devices
from workers.engine.model_loader import ModelLoader, lock_reader, servable_now
from workers.engine.peers import Peers, PeersOutOfStep
from workers.engine.residency import Residency
from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.messages import (
    AskPreview,
    Computed,
    ComputedShared,
    ComputeRequest,
    EngineRequest,
    Failed,
    HashedFiles,
    Interrupt,
    Inventory,
    NotReady,
    Ready,
    Stopped,
    SweepDone,
)

log = logging.getLogger(__name__)

Request = ComputeRequest | EngineRequest
Answer = Computed | ComputedShared | SweepDone | Stopped | Failed


class Engine:
    """The engine: runs one request at a time in the main thread; a second thread receives interrupts."""

    def __init__(
        self,
        channel: Channel,
        loader: ModelLoader,
        residency: Residency,
        hashes: HashCache | None = None,
        imports: FamilyImports | None = None,
    ) -> None:
        self._channel = channel
        self._hashes = hashes or HashCache()
        self._imports = imports or FamilyImports(())
        self._loader = loader
        self._residency = residency
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        """Requests in order; `None` says that there may be something to do while the engine is idle."""
        self._interrupts: dict[str, Interrupt] = {}
        self._asked_previews: set[str] = set()
        """Tickets of which the next step is to be shown."""
        self._baseline: int | None = None
        """Bytes that belong to no model after the first job, during which libraries are loaded."""
        self._executor = RequestExecutor(channel, loader, residency, self._interrupts, self._asked_previews)

    def serve(self) -> None:
        """Answer requests until the supervisor is gone."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        self._loader.when_host_memory_is_ready(lambda: self._requests.put(None))
        while True:
            request = self._next_request()
            with log_context(job_id=request.job_id):
                self._handle(request)

    def _next_request(self) -> Request:
        """Wait for a request; meanwhile import families, then copy weights to the host, a part at a time."""
        while True:
            while self._requests.empty() and self._work_ahead():
                pass
            # With a request at hand the engine is not idle: memory that is pinned now would hold up its job.
            with self._loader.idle() if self._requests.empty() else nullcontext():
                request = self._requests.get()
            if request is not None:
                return request

    def _work_ahead(self) -> bool:
        """Do one part of what can be done before it is asked for; return whether there was one."""
        try:
            return self._import_family() or self._residency.copy_to_host()
        except Exception:  # a device that is gone shows at the next request, too
            log.exception("engine: work ahead failed")
            return False

    def _import_family(self) -> bool:
        before = self._loader.memory_used()
        was_left = self._imports.import_next()
        if was_left and self._baseline is not None:
            self._baseline += max(0, self._loader.memory_used() - before)
        return was_left

    def _listen(self) -> None:
        while True:
            try:
                message = self._channel.receive()
            except ChannelClosed:
                os._exit(0)
            if isinstance(message, Request):
                self._requests.put(message)
            elif isinstance(message, Interrupt):
                self._interrupts[message.ticket] = message
            elif isinstance(message, AskPreview):
                self._asked_previews.add(message.ticket)
            elif isinstance(message, HashedFiles):
                self._hashes.add(message.files)

    def _handle(self, request: Request) -> None:
        try:
            self._channel.send(self._with_inventory(self._answer_to(request)))
        except ChannelClosed:
            os._exit(0)
        finally:
            for ticket in request.tickets:
                self._interrupts.pop(ticket, None)
                self._asked_previews.discard(ticket)

    def _answer_to(self, request: Request) -> Answer:
        """Carry out a request, and return its answer, also for an error. Raises `ChannelClosed`."""
        try:
            return self._executor.execute(request)
        except Interrupted:
            return Stopped(ticket=request.ticket)
        except ChannelClosed:
            raise
        except Exception as error:
            log.exception("engine: failed ticket=%s", request.ticket)
            return Failed(
                ticket=request.ticket, error=to_job_error(error), fatal=self._is_machine_fault(error, request)
            )

    def _with_inventory(self, answer: Answer) -> Answer:
        """Return the answer with what the engine holds and what happened since the last answer.

        After a fatal error only with the latter, since the device may not even answer. One that does not makes any
        answer a fatal error: whatever the request met, this process must not be used again.
        """
        evicted, out_of_memory = self._residency.take_evicted(), self._executor.take_out_of_memory()
        happened = Inventory(evicted=evicted, out_of_memory=out_of_memory)
        if isinstance(answer, Failed) and answer.fatal:
            return msgspec.structs.replace(answer, inventory=happened)
        try:
            if isinstance(answer, Failed):
                # Only now: while an error was handled, its traceback kept the tensors of the job alive.
                self._loader.free_caches()
            return msgspec.structs.replace(answer, inventory=self._inventory(answer, happened))
        except Exception as error:
            log.exception("engine: the device does not answer ticket=%s", answer.ticket)
            return Failed(ticket=answer.ticket, error=to_job_error(error), fatal=True, inventory=happened)

    def _inventory(self, answer: Answer, happened: Inventory) -> Inventory:
        """Return the inventory as it is now, with `happened`."""
        models, used = self._residency.models, self._loader.memory_used() + self._residency.graph_bytes
        known = sum(model.bytes for model in models if model.where == "device")
        if self._loader.device.name == "cpu":
            known += self._residency.host_bytes  # there it is the same memory
        if self._baseline is None and isinstance(answer, Computed | ComputedShared):
            self._baseline = used - known
        drift = 0 if self._baseline is None else max(0, used - known - self._baseline)
        return msgspec.structs.replace(happened, models=models, memory_used=used, drift=drift)

    def _is_machine_fault(self, error: Exception, request: Request) -> bool:
        """Return whether the device or the machine is at fault, not the job: another attempt may go well."""
        if isinstance(error, NotFinite) and isinstance(request, ComputeRequest):
            return not self._is_healthy(request.jobs[0].model)
        return is_device_fault(error) or isinstance(error, OSError | PeersOutOfStep)

    def _is_healthy(self, model: str) -> bool:
        try:
            return self._residency.is_healthy(model)
        except Exception:  # the device may not even multiply
            log.exception("engine: health check failed model=%s", model)
            return False


def to_job_error(error: Exception) -> JobError:
    """Return the error as the job's owner sees it."""
    if isinstance(error, AtelierError):
        return JobError(error.code, error.detail)
    if is_out_of_memory(error):
        return JobError.of(GpuOutOfMemory)
    return JobError(PipelineFailed.code, f"{PipelineFailed.advice} ({type(error).__name__}: {str(error)[:300]})")


def await_turn(channel: Channel, imports: FamilyImports) -> None:
    """Wait until the supervisor has this process begin, and import families meanwhile. Raises `ChannelClosed`.

    Only a spare waits: for the others the message is there when they look.
    """
    with without_cuda():
        while not channel.has_received() and imports.import_next():
            pass
        channel.receive()


def main(fd: int) -> None:
    """Serve the supervisor at the other end of `fd`."""
    settings = read_settings()
    start_logs(settings, "engine")
    channel = Channel(socket.socket(fileno=fd))

    def report(hashed: HashedFile) -> None:
        channel.send(HashedFiles(files=(hashed,)))

    hashes, catalog = HashCache(report), load_catalog(settings.catalog)
    configure(settings.device, settings.compile_cache)
    locks = lock_reader(settings, catalog)
    imports = FamilyImports(servable_now(settings, catalog, locks))
    await_turn(channel, imports)
    devices = peer_devices(settings)
    peers = Peers(devices, hashes) if devices else None
    try:
        loader = ModelLoader(catalog, locks, settings, hashes, peers)
    except DeviceUnusable as error:
        channel.send(NotReady(reason=str(error)))
        sys.exit(1)
    device = loader.device
    limits = limits_of(settings, device)
    channel.send(
        Ready(
            device=device.name,
            product=device.product,
            memory_total=device.memory_total,
            memory_budget=limits.device,
            versions=device.versions,
        )
    )
    Engine(channel, loader, Residency(loader, limits), hashes, imports).serve()


if __name__ == "__main__":
    with suppress(ChannelClosed):
        main(int(sys.argv[1]))
