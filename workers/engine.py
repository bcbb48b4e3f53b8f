"""The engine process: owns the device and nothing else. `python -m workers.engine FD`.

No credential, no network: it reads weights and clean inputs, writes arrays, and speaks over one socket. It leaves
when that socket closes.
"""

import logging
import os
import queue
import socket
import sys
import threading
from pathlib import Path

from jobs.errors import AtelierError, GpuOutOfMemory, PipelineFailed
from jobs.job import JobError
from jobs.params import PARAMS_OF, read_params
from jobs.settings import read_settings
from pipelines.catalog import load_catalog
from pipelines.lockfile import read_lock
from pipelines.pipeline import Inputs, Interrupted, JobCancelled, JobPreempted, RunContext, save_raw
from pipelines.spec import Stage
from workers.channel import Channel, ChannelClosed
from workers.messages import Broke, Compute, Computed, Interrupt, Progress, Ready, Stopped
from workers.residency import Residency

log = logging.getLogger(__name__)


class Engine:
    """Runs one job at a time in the main thread; a second thread listens for interrupts."""

    def __init__(self, channel: Channel, residency: Residency) -> None:
        self._channel = channel
        self._residency = residency
        self._requests: queue.SimpleQueue[Compute] = queue.SimpleQueue()
        self._interrupts: dict[str, Interrupt] = {}

    def serve(self) -> None:
        """Answer requests until the supervisor is gone."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        while True:
            self._answer(self._requests.get())

    def _listen(self) -> None:
        while True:
            try:
                message = self._channel.receive()
            except ChannelClosed:
                os._exit(0)
            if isinstance(message, Compute):
                self._requests.put(message)
            elif isinstance(message, Interrupt):
                self._interrupts[message.ticket] = message

    def _answer(self, request: Compute) -> None:
        try:
            self._compute(request)
            resident, used = self._residency.resident, self._residency.memory_used()
            self._channel.send(Computed(ticket=request.ticket, resident=resident, memory_used=used))
        except Interrupted:
            self._channel.send(Stopped(ticket=request.ticket))
        except ChannelClosed:
            os._exit(0)
        except Exception as error:
            log.exception("job %s broke", request.ticket)
            self._channel.send(Broke(ticket=request.ticket, error=told(error), fatal=is_our_fault(error)))
        finally:
            self._interrupts.pop(request.ticket, None)

    def _compute(self, request: Compute) -> None:
        warnings: list[str] = []

        def progress(fraction: float, stage: Stage) -> None:
            interrupt = self._interrupts.get(request.ticket)
            if interrupt is not None:
                raise JobPreempted if interrupt.preempt else JobCancelled
            self._channel.send(
                Progress(ticket=request.ticket, fraction=fraction, stage=stage, warnings=tuple(warnings))
            )

        context = RunContext(seed=request.seed, progress=progress, warn=warnings.append)
        pipeline = self._residency.take(request.model, lambda: progress(0.0, "load"))
        params = read_params(request.params, PARAMS_OF[request.modality])  # type: ignore[index]
        inputs = Inputs({name: Path(file) for name, file in request.inputs.items()})
        raw = None
        try:
            raw = pipeline.run(params, inputs, context)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        if raw is None:
            # Once more with everything else out of the way: same seed, same quality. Not inside the handler, whose
            # traceback would keep the tensors of the first try alive.
            log.warning("out of memory in job %s: trying once more", request.ticket)
            self._residency.keep_only(request.model)
            raw = pipeline.run(params, inputs, context)
        save_raw(raw, Path(request.folder))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the process ran out of memory (torch's own class, without importing torch)."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def is_our_fault(error: BaseException) -> bool:
    """Whether the device or the machine is to blame, rather than the job: another attempt may go well."""
    if is_out_of_memory(error):
        return False
    device = "CUDA error" in str(error) or type(error).__name__ == "AcceleratorError"
    return device or isinstance(error, OSError)


def told(error: Exception) -> JobError:
    """The error as the job's owner sees it."""
    if isinstance(error, AtelierError):
        return JobError(error.code, error.detail)
    if is_out_of_memory(error):
        return JobError.of(GpuOutOfMemory)
    return JobError(PipelineFailed.code, f"{PipelineFailed.advice} ({type(error).__name__}: {str(error)[:300]})")


def main(fd: int) -> None:
    """Serve the supervisor at the other end of `fd`."""
    settings = read_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s engine %(levelname)s %(name)s: %(message)s")
    channel = Channel(socket.socket(fileno=fd))
    residency = Residency(load_catalog(settings.catalog), read_lock(settings.weights_lock), settings)
    device = residency.device
    channel.send(Ready(device=device.name, memory_total=device.memory_total, versions=device.versions))
    Engine(channel, residency).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
