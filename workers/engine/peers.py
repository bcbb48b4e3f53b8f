"""Peers: the processes that compute videos together with this engine, one for each of its other devices.

The engine is rank 0 and leads. It decides what is in memory, and its peers follow; it reports and is interrupted, and
they learn after every step whether to go on. A process that dies ends them all: the supervisor starts a fresh engine.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NoReturn

import msgspec

from core.errors.failures import ModelLoadFailed
from core.processes import await_killed
from jobs.params.base import Params
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.runtime.process_group import join, open_store
from pipelines.runtime.protocol import Inputs, Interrupted, JobPreempted, Pipeline, RawOutput, RunContext
from pipelines.weights.hash_cache import HashCache
from workers.engine.loaded_pipeline import LoadedPipeline
from workers.ipc.channel import ChannelClosed
from workers.ipc.child_launcher import ChildLauncher, LaunchedChild
from workers.ipc.messages import (
    AnyMessage,
    Compute,
    Failed,
    HashedFiles,
    Interrupt,
    Join,
    NotReady,
    PeerCommand,
    Proceed,
)

if TYPE_CHECKING:
    from pipelines.memory.pinned_pool import HostMemory
    from pipelines.memory.weight_loader import WeightLoader

log = logging.getLogger(__name__)

MODULE = "workers.engine.peer"
START_SECONDS = 180.0
LOAD_SECONDS = 1800.0
IN_STEP_SECONDS = 30.0
"""How long the others may take to end a run that one has ended: they make the same steps."""


def _end(rank: int) -> NoReturn:
    """End this engine: what it computes with a peer that is gone would never end."""
    log.critical("peers: lost rank=%d", rank)
    os._exit(1)


class PeersOutOfStep(Exception):
    """A run or a command ended in one process and not in the others; none of them can be used again."""


class Peers:
    """The peers on `devices`, started when the first model needs them. One thread uses it."""

    def __init__(self, devices: Sequence[str], hashes: HashCache, on_loss: Callable[[int], object] = _end) -> None:
        """Take the devices of the peers; `on_loss` is called with the rank of one that is gone or stuck."""
        self._devices = tuple(devices)
        self._hashes = hashes
        self._children: list[LaunchedChild] = []
        self._answers: list[queue.SimpleQueue[AnyMessage]] = []
        self._problem = ""
        """Why there are none; empty as long as they can be had."""
        self._on_loss = on_loss
        self._runs = 0
        self._running = ""
        """Ticket of the present run."""

    @property
    def ranks(self) -> int:
        """How many processes compute together, this one included."""
        return 1 + len(self._devices)

    def start(self, device: str) -> None:
        """Start the peers unless they run, and join them. Raises `ModelLoadFailed` where one cannot use its device."""
        if self._problem:
            raise ModelLoadFailed(self._problem)
        if self._children:
            return
        if device != "cpu" and len({device, *self._devices}) < self.ranks:
            self._give_up("ATELIER_DEVICE and ATELIER_PEER_DEVICES name a GPU twice.", device)
        self._children = [ChildLauncher(MODULE).launch() for _ in self._devices]
        self._answers = [queue.SimpleQueue() for _ in self._devices]
        for number, child in enumerate(self._children):
            threading.Thread(target=self._listen, args=(number, child), name=f"peer {number + 1}", daemon=True).start()
        store, port = open_store()
        for rank, (child, wanted) in enumerate(zip(self._children, self._devices, strict=True), 1):
            child.channel.send(Join(rank=rank, ranks=self.ranks, device=wanted, port=port))
        try:
            answers = self._take_answers(START_SECONDS)
        except queue.Empty:  # an answer that comes later would be taken for that to a command
            self._give_up("A process of ATELIER_PEER_DEVICES did not start in time.", f"{START_SECONDS:.0f} s")
        for wanted, answer in zip(self._devices, answers, strict=True):
            if isinstance(answer, NotReady):
                self._give_up(f"{wanted} of ATELIER_PEER_DEVICES cannot be used.", answer.reason)
        try:
            join(store, 0, self.ranks, device)
        except Exception as error:
            self._give_up("The GPUs of ATELIER_PEER_DEVICES cannot reach one another.", str(error))
        log.info("peers: started ranks=%d devices=%s", self.ranks, ",".join(self._devices))

    def _give_up(self, problem: str, reason: str) -> NoReturn:
        """End the peers, for good; raises `ModelLoadFailed`. The reason is for the operator alone."""
        log.error("peers: not started problem=%r reason=%r", problem, reason)
        self._problem = problem
        for child in self._children:
            child.process.kill()
        for child in self._children:
            if await_killed(child.process) is None:
                log.error("peers: cannot be killed pid=%s", child.process.pid)
        raise ModelLoadFailed(problem)

    def command(self, command: PeerCommand) -> None:
        """Have all peers do something with a model. Raises `ModelLoadFailed`; `PeersOutOfStep` without an answer."""
        self._send(HashedFiles(files=self._hashes.known()))
        self._send(command)
        try:
            answers = self._take_answers(LOAD_SECONDS)
        except queue.Empty:
            raise PeersOutOfStep(f"no answer to {command.where} of {command.model}") from None
        failed = [answer for answer in answers if isinstance(answer, Failed)]
        if failed:
            raise ModelLoadFailed(failed[0].error.message)

    @contextmanager
    def computing(self, request: Compute, ctx: RunContext) -> Iterator[RunContext]:
        """Have all peers make this run beside the block; gives the context that the block runs in.

        Raises `PeersOutOfStep` when the block has failed and a peer does not end.
        """
        self._runs += 1
        run = msgspec.structs.replace(request, ticket=str(self._runs))
        self._running = run.ticket
        self._send(run)

        def progress(fraction: float, stage: Stage) -> None:
            try:
                ctx.progress(fraction, stage)
            except Interrupted as error:
                self._send(Interrupt(ticket=run.ticket, preempt=isinstance(error, JobPreempted)))
                raise
            self._send(Proceed(ticket=run.ticket))

        try:
            yield msgspec.structs.replace(ctx, progress=progress, rank=0, ranks=self.ranks)
        except BaseException as error:
            if not self._have_ended():
                log.exception("peers: out of step")
                # Not as its cause: out of memory would be tried again.
                raise PeersOutOfStep(f"{type(error).__name__} in one of {self.ranks} processes") from None
            raise
        else:
            if not self._have_ended():
                raise PeersOutOfStep("a peer did not end the run")
        finally:
            self._running = ""

    def _have_ended(self) -> bool:
        """Return whether all peers have ended the run, well or not."""
        try:
            return bool(self._take_answers(IN_STEP_SECONDS))
        except queue.Empty:
            return False

    def _take_answers(self, seconds: float) -> list[AnyMessage]:
        return [answers.get(timeout=seconds) for answers in self._answers]

    def _send(self, message: AnyMessage) -> None:
        for child in self._children:
            child.channel.send(message)

    def _listen(self, number: int, child: LaunchedChild) -> None:
        try:
            while True:
                message = child.channel.receive()
                self._answers[number].put(message)
                if isinstance(message, NotReady):
                    return
                if isinstance(message, Failed) and message.ticket == self._running:
                    threading.Timer(IN_STEP_SECONDS, self._end_run, (message.ticket, number + 1)).start()
        except ChannelClosed:
            if not self._problem:
                self._on_loss(number + 1)

    def _end_run(self, ticket: str, rank: int) -> None:
        """Give up a run that a peer has left, and that this process may wait for in the midst of a step."""
        if self._running == ticket:
            self._on_loss(rank)


class SharedModel(LoadedPipeline):
    """A model that the engine and its peers have loaded, and move alike."""

    def __init__(
        self,
        pipeline: Pipeline,
        weight_loader: "WeightLoader | None",
        taken: int,
        host_memory: "HostMemory | None",
        *,
        spec: ModelSpec,
        peers: Peers,
    ) -> None:
        """Have the peers load it too. Raises `ModelLoadFailed`."""
        super().__init__(pipeline, weight_loader, taken, host_memory)
        self.pipeline = SharedPipeline(pipeline, spec, peers)
        self._model = spec.id
        self._peers = peers
        try:
            peers.command(PeerCommand(model=spec.id, where="device"))
        except ModelLoadFailed:
            self.close()  # peers that have loaded it would keep it
            raise

    def offload(self) -> None:
        """See `model_source.LoadedModel`."""
        super().offload()
        self._move("host")

    def restore(self) -> None:
        """See `model_source.LoadedModel`."""
        super().restore()
        self._move("device")

    def close(self) -> None:
        """See `model_source.LoadedModel`."""
        super().close()
        self._move("disk")

    def _move(self, where: Literal["device", "host", "disk"]) -> None:
        try:
            self._peers.command(PeerCommand(model=self._model, where=where))
        except ModelLoadFailed as error:  # here it has moved already
            raise PeersOutOfStep(error.detail) from None


class SharedPipeline:
    """A pipeline whose runs are made by the engine and its peers together."""

    def __init__(self, pipeline: Pipeline, spec: ModelSpec, peers: Peers) -> None:
        self._pipeline = pipeline
        self._spec = spec
        self._peers = peers

    @property
    def warnings(self) -> tuple[str, ...]:
        """See `Pipeline`."""
        return tuple(getattr(self._pipeline, "warnings", ()))

    def warm_up(self, ctx: RunContext) -> None:
        """See `Pipeline`; the engine makes this run alone."""
        getattr(self._pipeline, "warm_up", lambda ctx: None)(ctx)

    def run(self, params: Params, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """See `Pipeline`."""
        request = Compute(
            model=self._spec.id,
            modality=self._spec.modality,
            params=msgspec.to_builtins(params),
            seed=ctx.seed,
            folder="",
            inputs={name: str(file) for name, file in inputs.files.items()},
        )
        with self._peers.computing(request, ctx) as shared:
            return self._pipeline.run(params, inputs, shared)
