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
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from core.errors.base import AtelierError
from core.errors.failures import GpuOutOfMemory, NotFinite, PipelineFailed
from core.logs import log_context, start_logs
from core.settings import read_settings
from jobs.job import JobError
from jobs.params.base import Params, read_params
from jobs.params.registry import PARAMS_OF
from jobs.server_commands import Preload, Unload
from pipelines.catalog.licenses import read_allowed
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import Stage
from pipelines.runtime.device import configure
from pipelines.runtime.gpu_check import DeviceUnusable
from pipelines.runtime.protocol import (
    Inputs,
    Interrupted,
    JobCancelled,
    JobPreempted,
    RawOutput,
    RunContext,
    empty_array,
    save_raw,
)
from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory
from pipelines.weights.hash_cache import HashCache, HashedFile
from pipelines.weights.lockfile import read_lock
from pipelines.weights.verify import servable, weights_folder
from workers.engine.auto_cutout import after_cutouts, cut_out, find_opaque
from workers.engine.family_imports import FamilyImports, without_cuda
from workers.engine.model_loader import ModelLoader, limits_of
from workers.engine.residency import Residency
from workers.engine.working_memory import job_size, warm_up_size
from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.messages import (
    Compute,
    Computed,
    EngineCommand,
    EngineRequest,
    Failed,
    HashedFiles,
    Interrupt,
    Inventory,
    NotReady,
    Ready,
    StageProgress,
    Stopped,
    SweepDone,
)

log = logging.getLogger(__name__)

Answer = Computed | SweepDone | Stopped | Failed


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
        self._requests: queue.SimpleQueue[Compute | EngineRequest | None] = queue.SimpleQueue()
        """Requests in order; `None` says that there may be something to do while the engine is idle."""
        self._interrupts: dict[str, Interrupt] = {}
        self._baseline: int | None = None
        """Bytes that belong to no model after the first job, during which libraries are loaded."""
        self._out_of_memory: list[str] = []

    def serve(self) -> None:
        """Answer requests until the supervisor is gone."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        self._loader.when_host_memory_is_ready(lambda: self._requests.put(None))
        while True:
            request = self._next_request()
            with log_context(job_id=request.job_id):
                self._handle(request)

    def _next_request(self) -> Compute | EngineRequest:
        """Wait for a request; meanwhile import families, then copy weights to the host, a part at a time."""
        while True:
            while self._requests.empty() and self._work_ahead():
                pass
            with self._loader.idle():
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
            if isinstance(message, Compute | EngineRequest):
                self._requests.put(message)
            elif isinstance(message, Interrupt):
                self._interrupts[message.ticket] = message
            elif isinstance(message, HashedFiles):
                self._hashes.add(message.files)

    def _handle(self, request: Compute | EngineRequest) -> None:
        try:
            self._channel.send(self._with_inventory(self._answer_to(request)))
        except ChannelClosed:
            os._exit(0)
        finally:
            self._interrupts.pop(request.ticket, None)

    def _answer_to(self, request: Compute | EngineRequest) -> Answer:
        """Carry out a request, and return its answer, also for an error. Raises `ChannelClosed`."""
        try:
            if isinstance(request, Compute):
                self._compute(request)
                return Computed(ticket=request.ticket)
            self._maintain(request)
            return SweepDone(ticket=request.ticket)
        except Interrupted:
            return Stopped(ticket=request.ticket)
        except ChannelClosed:
            raise
        except Exception as error:
            log.exception("engine: failed ticket=%s", request.ticket)
            model = _model_of(request)
            if model and (is_out_of_memory(error) or isinstance(error, GpuOutOfMemory)):
                self._out_of_memory.append(model)
            return Failed(
                ticket=request.ticket, error=to_job_error(error), fatal=self._is_machine_fault(error, request)
            )

    def _maintain(self, request: EngineRequest) -> None:
        if not isinstance(request, EngineCommand):
            self._residency.sweep()
            return
        match request.command:
            case Preload() as preload:
                self._retry_after_oom(preload.model, lambda: self._preload(preload, request.ticket))
            case Unload(model):
                self._residency.unload(model)

    def _preload(self, preload: Preload, ticket: str) -> None:
        def report(fraction: float, stage: Stage) -> None:
            self._channel.send(StageProgress(ticket=ticket, fraction=fraction, stage=stage))

        is_new = all(model.id != preload.model for model in self._residency.models)
        self._residency.preload(preload.model, pin=preload.pin, before_load=lambda: report(0.0, "load"))
        if is_new:
            self._warm_up(preload.model, RunContext(seed=0, progress=report, warn=log.debug))

    def _warm_up(self, model: str, context: RunContext) -> None:
        """Run a model for the first, slowest time; the model is served also when that fails."""
        with self._residency.using(model, job_size=warm_up_size(self._loader.spec(model))) as pipeline:
            warm_up = getattr(pipeline, "warm_up", None)
            try:
                if warm_up is not None:
                    warm_up(context)
            except ChannelClosed:
                raise
            except Exception:
                log.warning("engine: first run failed model=%s", model, exc_info=True)

    def _compute(self, request: Compute) -> None:
        warnings: list[str] = []
        reported: tuple[float, Stage] = (0.0, "prepare")

        def progress(fraction: float, stage: Stage) -> None:
            nonlocal reported
            reported = fraction, stage
            interrupt = self._interrupts.get(request.ticket)
            if interrupt is not None:
                raise JobPreempted if interrupt.preempt else JobCancelled
            self._channel.send(
                StageProgress(ticket=request.ticket, fraction=fraction, stage=stage, warnings=tuple(warnings))
            )

        def make_room() -> bool:
            progress(*reported)  # the stage begins again
            self._out_of_memory.append(request.model)
            return self._residency.make_room(request.model)

        def run() -> None:
            warnings.clear()
            save_raw(self._run(request, context), folder)

        folder = Path(request.folder)
        context = RunContext(
            seed=request.seed,
            progress=progress,
            warn=warnings.append,
            empty=partial(empty_array, folder),
            make_room=make_room,
        )
        try:
            self._retry_after_oom(request.model, run)
        finally:
            if request.params.get("auto_unload"):
                self._residency.release(request.model)

    def _retry_after_oom(self, model: str, work: Callable[[], None]) -> None:
        """Call `work` again while memory runs out and another model can leave: same seed, same quality.

        It is called at least twice, since the first time caches may have been in its way.
        """
        tries = 0
        while True:
            try:
                return work()
            except Exception as error:
                is_last = tries > 0 and not self._residency.can_make_room(model)
                if is_last or isinstance(error, GpuOutOfMemory) or not is_out_of_memory(error):
                    raise
            # Not inside the handler, whose traceback would keep the tensors of the first attempt alive.
            tries += 1
            log.warning("engine: out of memory, tried again model=%s tries=%d", model, tries)
            self._out_of_memory.append(model)
            self._residency.make_room(model)

    def _run(self, request: Compute, ctx: RunContext) -> RawOutput:
        params = read_params(request.params, PARAMS_OF[request.modality])
        inputs = Inputs({name: Path(file) for name, file in request.inputs.items()})
        images = find_opaque(inputs) if self._loader.spec(request.model).wants_cutout else {}
        remover = self._loader.first("remove-background") if images else None
        if remover is None:
            return self._run_pipeline(request, params, inputs, ctx)
        cutouts = self._cut_out(remover.id, images, Path(f"{request.folder}-cutouts"), ctx)
        warning = f"the image has no transparent background; {remover.id} removed it first"
        ctx.warn(warning)
        raw = self._run_pipeline(request, params, Inputs(inputs.files | cutouts), after_cutouts(ctx))
        return msgspec.structs.replace(raw, warnings=(warning, *raw.warnings))

    def _run_pipeline(self, request: Compute, params: Params, inputs: Inputs, ctx: RunContext) -> RawOutput:
        size = job_size(params, len(inputs.files))
        with self._residency.using(request.model, lambda: ctx.progress(0.0, "load"), size) as pipeline:
            return pipeline.run(params, inputs, ctx)

    def _cut_out(self, remover: str, images: dict[str, Path], folder: Path, ctx: RunContext) -> dict[str, Path]:
        with self._residency.using(remover, lambda: ctx.progress(0.0, "load")) as pipeline:
            return cut_out(pipeline, images, folder, ctx)

    def _with_inventory(self, answer: Answer) -> Answer:
        """Return the answer with what the engine holds and what happened since the last answer.

        After a fatal error only with the latter, since the device may not even answer. One that does not makes any
        answer a fatal error: whatever the request met, this process must not be used again.
        """
        happened = Inventory(evicted=self._residency.take_evicted(), out_of_memory=tuple(self._out_of_memory))
        self._out_of_memory.clear()
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
        models, used = self._residency.models, self._loader.memory_used()
        known = sum(model.bytes for model in models if model.where == "device")
        if self._loader.device.name == "cpu":
            known += self._residency.host_bytes  # there it is the same memory
        if self._baseline is None and isinstance(answer, Computed):
            self._baseline = used - known
        drift = 0 if self._baseline is None else max(0, used - known - self._baseline)
        return msgspec.structs.replace(happened, models=models, memory_used=used, drift=drift)

    def _is_machine_fault(self, error: Exception, request: Compute | EngineRequest) -> bool:
        """Return whether the device or the machine is at fault, not the job: another attempt may go well."""
        if isinstance(error, NotFinite) and isinstance(request, Compute):
            return not self._is_healthy(request.model)
        return is_device_fault(error) or isinstance(error, OSError)

    def _is_healthy(self, model: str) -> bool:
        try:
            return self._residency.is_healthy(model)
        except Exception:  # the device may not even multiply
            log.exception("engine: health check failed model=%s", model)
            return False


def _model_of(request: Compute | EngineRequest) -> str | None:
    match request:
        case Compute():
            return request.model
        case EngineCommand():
            return request.command.model
        case _:
            return None


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

    hashes, catalog, lock = HashCache(report), load_catalog(settings.catalog), read_lock(settings.weights_lock)
    configure(settings.device, settings.compile_cache)
    allowed, weights = read_allowed(settings.allowed_licenses), weights_folder(settings.weights_dir)
    imports = FamilyImports(servable(catalog, lock, weights, allowed))
    await_turn(channel, imports)
    try:
        loader = ModelLoader(catalog, lock, settings, hashes)
    except DeviceUnusable as error:
        channel.send(NotReady(reason=str(error)))
        sys.exit(1)
    device = loader.device
    limits = limits_of(settings, device)
    channel.send(
        Ready(
            device=device.name,
            memory_total=device.memory_total,
            memory_budget=limits.device,
            versions=device.versions,
        )
    )
    Engine(channel, loader, Residency(loader, limits), hashes, imports).serve()


if __name__ == "__main__":
    with suppress(ChannelClosed):
        main(int(sys.argv[1]))
