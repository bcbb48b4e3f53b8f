"""The supervisor's handle on its engine or its encoder: a child process that answers one request at a time."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, Protocol

from core.processes import Process, await_killed, stop
from pipelines.catalog.spec import Deadlines, Stage
from pipelines.weights.hash_cache import HashedFile
from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.child_launcher import ChildLauncher, LaunchedChild
from workers.ipc.messages import (
    AnyMessage,
    AnyPreview,
    AskPreview,
    Computed,
    ComputedShared,
    ComputeRequest,
    Encode,
    EncodePart,
    EngineRequest,
    Failed,
    HashedFiles,
    Interrupt,
    Inventory,
    NotReady,
    Ready,
    SoundPart,
    StageProgress,
    Stopped,
    SweepDone,
)

log = logging.getLogger(__name__)

START_SECONDS = 180.0


class ChildProcessDied(Exception):
    """The process ended while it worked on the request, or did not start."""

    def __init__(self, name: str, what: str = "died") -> None:
        super().__init__(f"the {name} {what}")
        self.name = name
        """The process: `engine` or `encoder`."""


class StageOverran(Exception):
    """A stage took longer than its deadline; the process has been killed."""

    def __init__(self, stage: Stage, seconds: float) -> None:
        super().__init__(f"stage {stage} took longer than {seconds:g} s")
        self.stage = stage


class RequestListener(Protocol):
    """The follower of one request, called in the thread that makes it."""

    def begin(self) -> None:
        """Learn that it is this request's turn, before it is sent; an error that is raised here costs no process."""

    def report(self, report: StageProgress) -> None:
        """Learn of a report, which renews the deadline of its stage."""

    def show(self, preview: AnyPreview) -> None:
        """Learn of a preview that was asked for."""

    def play(self, part: SoundPart) -> None:
        """Learn of a part of a recording that is streamed."""


class NoListener:
    """The listener of a request whose reports are of no interest."""

    def begin(self) -> None:
        """Do nothing."""

    def report(self, report: StageProgress) -> None:
        """Do nothing."""

    def show(self, preview: AnyPreview) -> None:
        """Do nothing."""

    def play(self, part: SoundPart) -> None:
        """Do nothing."""


class ChildProcess:
    """The process `python -m MODULE`, started on first use and again after its death."""

    def __init__(
        self,
        module: str,
        *,
        on_answer: Callable[[Inventory], None] = lambda inventory: None,
        on_loss: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.name = module.rpartition(".")[2]
        self.ready = Ready()
        self.defect = ""
        """Why no process can be had on this machine any more, so that the worker is to leave; empty while it can."""
        self.inventory = Inventory()
        """The inventory of the engine's last answer; empty when it is gone."""
        self._launcher = ChildLauncher(module)
        self._busy = threading.Lock()
        self._turn = threading.Lock()
        self._is_stopped = False
        self._process: Process | None = None
        self._channel: Channel | None = None
        self._device = ""
        self._hashed: dict[str, HashedFile] = {}
        """What processes have hashed, by path: the next one need not."""
        self._on_tickets: tuple[str, ...] = ()
        self._on_answer = on_answer
        self._on_loss = on_loss
        self._spent = 0.0
        self._since: float | None = None

    @property
    def busy_seconds(self) -> float:
        """Seconds spent on requests in all, the present one included."""
        since = self._since
        return self._spent + (0.0 if since is None else time.monotonic() - since)

    @property
    def pid(self) -> int | None:
        """The id of the process while it lives."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> Ready:
        """Start the process unless it lives, and return its `Ready`. Raises `ChildProcessDied`."""
        with self._busy:
            return self._start()

    @property
    def has_spare(self) -> bool:
        """Whether a second process waits to be the next one."""
        return self._launcher.has_spare

    def keep_spare(self) -> None:
        """Have a second process ready, which imports its libraries, takes no device and is the next one to start."""
        with self._busy:
            if self.pid is not None:
                self._launcher.keep_spare()

    def _start(self) -> Ready:
        if self._is_stopped:
            raise ChildProcessDied(self.name, "was stopped")
        if self.defect:
            raise ChildProcessDied(self.name, self.defect)
        if self.pid is not None:
            return self.ready
        self.kill("died")
        launched = self._launch()
        try:
            message = launched.channel.receive(START_SECONDS)
        except (ChannelClosed, TimeoutError) as error:
            self.kill("died")
            raise ChildProcessDied(self.name, "did not start") from error
        if not isinstance(message, Ready) or message.device != (self._device or message.device):
            self._refuse(message)
        self.ready, self._device = message, message.device
        self._tell_hashes()
        log.info("%s: started pid=%s device=%s", self.name, launched.process.pid, message.device)
        return message

    def _launch(self) -> LaunchedChild:
        """Launch the process. Raises `ChildProcessDied` where another thread has stopped this meanwhile."""
        launched = self._launcher.launch()
        self._process, self._channel = launched.process, launched.channel
        if self._is_stopped:  # by a call that may have found no process to end
            self.kill("ordered")
            raise ChildProcessDied(self.name, "was stopped")
        return launched

    def _tell_hashes(self) -> None:
        """Give a fresh process what others have hashed; one that has died already shows at its first request."""
        if self._hashed and self._channel is not None:
            with suppress(ChannelClosed):
                self._channel.send(HashedFiles(files=tuple(self._hashed.values())))

    def _refuse(self, message: AnyMessage) -> NoReturn:
        """End a process that computes on nothing, or on another device than the first one; raises."""
        if isinstance(message, Ready):
            self.defect = f"would compute on {message.device} instead of {self._device}, whose GPU is gone"
        else:
            assert isinstance(message, NotReady)
            self.defect = f"did not start: {message.reason}"
        self.kill("fault")
        raise ChildProcessDied(self.name, self.defect)

    def request(
        self,
        request: ComputeRequest | Encode | EncodePart | EngineRequest,
        deadlines: Deadlines,
        listener: RequestListener | None = None,
    ) -> AnyMessage:
        """Send a request and return its last answer; each report renews the deadline of its stage.

        Raises `ChildProcessDied` and `StageOverran`, and what the listener raises. After any of them, and after a fatal
        `Failed`, the next request starts a fresh process, since this one's next message would answer another request.
        """
        listener = listener or NoListener()
        with self._busy:
            self._start()
            assert self._channel is not None
            with self._turn:
                self._on_tickets = request.tickets
            try:
                listener.begin()
            except BaseException:
                self._on_tickets = ()
                raise
            self._since = time.monotonic()
            try:
                self._channel.send(request)
                return self._await(self._channel, request, deadlines, listener)
            except ChannelClosed as error:
                self.kill("died")
                raise ChildProcessDied(self.name) from error
            except BaseException as error:
                self.kill("overran" if isinstance(error, StageOverran) else "fault")
                raise
            finally:
                spent = self.busy_seconds
                self._since = None  # first: a concurrent reader sees less, not twice as much
                self._spent = spent
                with self._turn:
                    self._on_tickets = ()

    def _await(
        self,
        channel: Channel,
        request: ComputeRequest | Encode | EncodePart | EngineRequest,
        deadlines: Deadlines,
        listener: RequestListener,
    ) -> AnyMessage:
        stage: Stage = "encode" if isinstance(request, Encode | EncodePart) else "load"
        until = time.monotonic() + deadlines.of(stage)
        while True:
            try:
                message = channel.receive(until - time.monotonic())
            except TimeoutError:
                raise StageOverran(stage, deadlines.of(stage)) from None
            if isinstance(message, HashedFiles):
                self._hashed |= {hashed.identity.path: hashed for hashed in message.files}
                continue
            if message.ticket not in request.tickets:
                raise ChannelClosed(f"an answer to {message.ticket} instead of {request.ticket}")
            if isinstance(message, AnyPreview):
                listener.show(message)
                continue
            if isinstance(message, SoundPart):
                listener.play(message)
                continue
            if not isinstance(message, StageProgress):
                if isinstance(message, Computed | ComputedShared | SweepDone | Stopped | Failed):
                    self.inventory = message.inventory
                    self._on_answer(message.inventory)
                if isinstance(message, Failed) and message.fatal:
                    self.kill("fault")
                return message
            stage, until = message.stage, time.monotonic() + deadlines.of(message.stage)
            listener.report(message)

    def interrupt(self, ticket: str, *, preempt: bool) -> None:
        """Ask the process to stop working on a request at its next report; from any thread."""
        self._send_word(Interrupt(ticket=ticket, preempt=preempt))

    def ask_preview(self, ticket: str) -> None:
        """Ask the process for a preview of a request at the end of its next step; from any thread."""
        self._send_word(AskPreview(ticket=ticket))

    def _send_word(self, word: Interrupt | AskPreview) -> None:
        channel = self._channel
        if channel is not None and word.ticket in self._on_tickets:
            try:
                channel.send(word)
            except ChannelClosed:
                log.debug("%s: not sent, the process is gone message=%s", self.name, type(word).__name__)

    def abort(self, ticket: str) -> None:
        """End the process if it works on this request; from any thread."""
        with self._turn:
            if ticket in self._on_tickets and self._process is not None:
                self._process.kill()

    def recycle(self, reason: str = "ordered") -> None:
        """Replace the process once the present request is answered. Raises `ChildProcessDied`."""
        with self._busy:
            self.kill(reason)
            self._start()

    def kill(self, reason: str = "ordered") -> None:
        """End the process at once; `reason` is one of `metrics.RESTARTS`."""
        if self._process is not None:
            self._on_loss(reason)
            if self._process.poll() is None:
                self._process.kill()
                if await_killed(self._process) is None:
                    self._give_up(self._process)
        if self._channel is not None:
            self._channel.close()
        self._process, self._channel, self.inventory = None, None, Inventory()

    def _give_up(self, process: Process) -> None:
        """Learn that a killed process stays; it holds the device, so that another one could not use it."""
        self.defect = f"cannot be killed: process {process.pid} is in a call of the kernel that does not return"
        log.error("%s: %s", self.name, self.defect)

    def stop(self, grace_seconds: float = 5.0) -> None:
        """End the process for good: it leaves when its channel closes, else it is killed after `grace_seconds`."""
        self._is_stopped = True
        process, channel = self._process, self._channel
        if channel is not None:
            channel.close()
        if process is not None and stop(process, grace_seconds) is None:
            self._give_up(process)
        self._process, self._channel = None, None
        self._launcher.stop(grace_seconds)
