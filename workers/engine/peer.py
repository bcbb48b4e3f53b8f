"""A peer process: computes videos together with the engine that started it. `python -m workers.engine.peer FD`.

It does what the engine says and decides nothing. It ends when the engine's socket closes.
"""

import logging
import os
import queue
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

import msgspec

from core.logs import start_logs
from core.settings import read_settings
from jobs.params.base import read_params
from jobs.params.registry import PARAMS_OF
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import Stage
from pipelines.runtime import process_group
from pipelines.runtime.device import configure
from pipelines.runtime.gpu_check import DeviceUnusable
from pipelines.runtime.protocol import Inputs, Interrupted, JobCancelled, RunContext
from pipelines.weights.hash_cache import HashCache
from workers.engine.engine import to_job_error
from workers.engine.loaded_pipeline import LoadedPipeline
from workers.engine.model_loader import ModelLoader, lock_reader
from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.messages import (
    AnyMessage,
    Compute,
    Computed,
    Failed,
    HashedFiles,
    Interrupt,
    Join,
    NotReady,
    PeerCommand,
    Proceed,
    Ready,
    Stopped,
    SweepDone,
)

log = logging.getLogger(__name__)


class Peer:
    """The peer: carries out one request at a time in the main thread; a second thread receives."""

    def __init__(self, channel: Channel, loader: ModelLoader, hashes: HashCache, join: Join) -> None:
        self._channel = channel
        self._loader = loader
        self._hashes = hashes
        self._join = join
        self._models: dict[str, LoadedPipeline] = {}
        self._requests: queue.SimpleQueue[Compute | PeerCommand] = queue.SimpleQueue()
        self._words: queue.SimpleQueue[Proceed | Interrupt] = queue.SimpleQueue()
        """What the engine says after each report of a run."""

    def serve(self) -> None:
        """Carry out requests until the engine is gone."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        while True:
            self._channel.send(self._answer_to(self._requests.get()))

    def _listen(self) -> None:
        while True:
            try:
                message = self._channel.receive()
            except ChannelClosed:
                os._exit(0)  # also from the midst of a step, which would never end
            match message:
                case Compute() | PeerCommand():
                    self._requests.put(message)
                case Proceed() | Interrupt():
                    self._words.put(message)
                case HashedFiles(files=files):
                    self._hashes.add(files)
                case _:
                    log.warning("peer: not for a peer message=%s", type(message).__name__)

    def _answer_to(self, request: Compute | PeerCommand) -> AnyMessage:
        try:
            if isinstance(request, Compute):
                self._compute(request)
                return Computed(ticket=request.ticket)
            self._place(request)
            return SweepDone()
        except Interrupted:
            return Stopped(ticket=request.ticket)
        except Exception as error:
            log.exception("peer: failed rank=%d", self._join.rank)
            return Failed(ticket=request.ticket, error=to_job_error(error))

    def _compute(self, request: Compute) -> None:
        def progress(fraction: float, stage: Stage) -> None:
            word = self._words.get()
            while word.ticket != request.ticket:  # of an earlier run, whose decoding only the engine did
                word = self._words.get()
            if isinstance(word, Interrupt):
                raise JobCancelled

        context = RunContext(
            seed=request.seed,
            progress=progress,
            warn=lambda text: None,
            rank=self._join.rank,
            ranks=self._join.ranks,
        )
        params = read_params(request.params, PARAMS_OF[request.modality])
        inputs = Inputs({name: Path(file) for name, file in request.inputs.items()})
        self._models[request.model].pipeline.run(params, inputs, context)

    def _place(self, command: PeerCommand) -> None:
        """Bring a model where the engine has it. One that does not fit into host memory is loaded again."""
        loaded = self._models.get(command.model)
        match command.where:
            case "device" if loaded is None:
                self._models[command.model] = self._loader.load(command.model)
            case "device":
                assert loaded is not None
                loaded.restore()
            case "host" if loaded is not None and loaded.bytes:
                try:
                    loaded.offload()
                except MemoryError:
                    self._drop(command.model)
            case _:
                self._drop(command.model)
        del loaded
        self._loader.free_caches()

    def _drop(self, model: str) -> None:
        loaded = self._models.pop(model, None)
        if loaded is not None:
            loaded.close()


def main(fd: int) -> None:
    """Serve the engine at the other end of `fd`."""
    settings = read_settings()
    start_logs(settings, "peer")
    channel = Channel(socket.socket(fileno=fd))
    channel.receive()
    join = channel.receive()
    assert isinstance(join, Join)
    settings, hashes = msgspec.structs.replace(settings, device=join.device), HashCache()
    configure(join.device, settings.compile_cache)
    catalog = load_catalog(settings.catalog)
    locks = lock_reader(settings, catalog)
    try:
        loader = ModelLoader(catalog, locks, settings, hashes)
    except DeviceUnusable as error:
        channel.send(NotReady(reason=str(error)))
        sys.exit(1)
    channel.send(Ready(device=loader.device.name))
    process_group.join(process_group.connect(join.port), join.rank, join.ranks, join.device)
    Peer(channel, loader, hashes, join).serve()


if __name__ == "__main__":
    with suppress(ChannelClosed):
        main(int(sys.argv[1]))
