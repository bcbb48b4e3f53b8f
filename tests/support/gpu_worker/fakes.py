"""Fakes around the GPU worker's threads: children, the jobs' database and the server's lease, in memory."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from core.errors.unavailable import StorageUnavailable
from core.storage.directory import DirectoryStore
from jobs.events import JobEvent
from jobs.job import NO_TIME, Artifact, DeviceTime, Job, JobError, JobRun, JobStatus
from jobs.manifests.environment import Environment
from jobs.server_commands import Preload, Unload
from jobs.statements.queue.beat import HeldClaim
from jobs.step_previews import StepPreview
from jobs.wire.servers import ResidentModel
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import Deadlines
from pipelines.runtime.protocol import Output, Outputs
from tests.support.paths import CATALOG
from workers.gpu.server.lease import Beat
from workers.ipc.child_process import NoListener, RequestListener
from workers.ipc.messages import (
    AnyMessage,
    Compute,
    Computed,
    ComputedShared,
    ComputeShared,
    Encode,
    Encoded,
    EncodedPart,
    EncodePart,
    EngineCommand,
    Inventory,
    PreviewPixels,
    Ready,
    SoundPart,
    StageProgress,
    Stopped,
    SweepDone,
)

CHAOS = load_catalog(CATALOG).get("chaos")
SHARED = load_catalog(CATALOG).get("chaos-shared")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAIT_SECONDS = 10.0
"""Longest wait of a test for another thread: a fault is a red test within seconds."""

Step = AnyMessage | Exception | Callable[[], object]


def healthy() -> None:
    """Stands in a script for the answer of a healthy engine or encoder."""


def make_job(number: int = 1, **columns: Any) -> Job:
    """Return a claimed image job of the model `chaos`."""
    defaults: dict[str, Any] = {
        "id": f"job_{number}",
        "tenant": "ten_1",
        "modality": "image",
        "model": "chaos",
        "params": {"modality": "image", "prompt": "null=1", "output_format": "png"},
        "seed": 7,
        "status": JobStatus.PROCESSING,
        "fence": 1,
        "attempt": 1,
        "max_attempts": 3,
        "priority": 0,
        "server_id": None,
        "spill_at": None,
        "worker": "one",
        "incarnation": 1,
        "progress": 0.0,
        "stage": None,
        "callback_url": None,
        "available_at": NOW,
        "deadline_at": NOW + timedelta(days=1),
        "lease_until": NOW,
        "event_seq": 1,
        "error": None,
        "warnings": (),
        "artifacts": (),
        "cost": 0.0,
        "created_at": NOW,
        "queued_at": NOW,
        "started_at": NOW,
        "finished_at": None,
    }
    return Job(**(defaults | columns))


def report(fraction: float, stage: str = "step") -> StageProgress:
    """Return a report of the engine."""
    return StageProgress(fraction=fraction, stage=stage)  # type: ignore[arg-type]


class FakeClock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class FakePreviews:
    """The channels of previews: those that have followers, and what was published."""

    def __init__(self) -> None:
        self.followed: set[str] = set()
        self.published: list[tuple[str, StepPreview]] = []
        self.looks = 0

    def is_asked_for(self, job_id: str) -> bool:
        """Return whether the test follows the job."""
        self.looks += 1
        return job_id in self.followed

    def publish(self, job_id: str, preview: StepPreview) -> None:
        """Note a preview."""
        self.published.append((job_id, preview))


class FakePieces:
    """The streams of outputs: what was published of each job, by run."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str, int, bytes]] = []

    def publish(self, job_id: str, run: str, begin: int, data: bytes) -> None:
        """Note the bytes of an output from `begin` on."""
        self.published.append((job_id, run, begin, data))


class FakeChild:
    """A child process that plays one list of steps per request: messages, exceptions, and calls in between.

    Without a list left it answers what a healthy engine or encoder answers at once.
    """

    def __init__(self) -> None:
        self.scripts: list[Sequence[Step]] = []
        self.requests: list[Any] = []
        self.interrupts: list[tuple[str, bool]] = []
        self.asked_previews: list[str] = []
        self.calls: list[str] = []
        self.start_error: Exception | None = None
        self.pid: int | None = 4711
        self.ready = Ready(device="cpu")
        self.defect = ""
        self.inventory = Inventory()
        self.busy_seconds = 0.0
        self.has_spare = False
        self.before_turn: Callable[[], object] = lambda: None
        self._busy = threading.Lock()

    def start(self) -> Ready:
        """Count the start, or fail as the test wants."""
        self.calls.append("start")
        if self.start_error is not None:
            raise self.start_error
        return self.ready

    def request(self, request: Any, deadlines: Deadlines, listener: RequestListener | None = None) -> Any:
        """Play the next list of steps."""
        listener = listener or NoListener()
        self.before_turn()
        with self._busy:
            listener.begin()
            self.requests.append(request)
            script = self.scripts.pop(0) if self.scripts else [self._answer(request)]
            for step in script:
                if step is healthy:
                    return self._answer(request)
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, StageProgress):
                    for ticket in [step.ticket] if step.ticket else request.tickets:
                        listener.report(msgspec.structs.replace(step, ticket=ticket))
                elif isinstance(step, PreviewPixels):
                    listener.show(msgspec.structs.replace(step, ticket=request.ticket))
                elif isinstance(step, SoundPart):
                    listener.play(msgspec.structs.replace(step, ticket=request.ticket))
                elif callable(step):
                    step()
                else:
                    return step
            raise AssertionError("the script has no answer")

    def interrupt(self, ticket: str, *, preempt: bool) -> None:
        """Note the interrupt."""
        self.interrupts.append((ticket, preempt))

    def ask_preview(self, ticket: str) -> None:
        """Note what is asked for."""
        self.asked_previews.append(ticket)

    def abort(self, ticket: str) -> None:
        """Note the end of a request."""
        self.calls.append("abort")

    def keep_spare(self) -> None:
        """Note the spare."""
        self.calls.append("spare")
        self.has_spare = True

    def recycle(self, reason: str = "ordered") -> None:
        """Forget every model, as a fresh process does."""
        self.calls.append(f"recycle {reason}")
        self.inventory = Inventory()

    def stop(self) -> None:
        """Note the stop."""
        self.calls.append("stop")
        self.pid = None

    def _answer(self, request: Any) -> AnyMessage:
        if isinstance(request, Encode):
            folder = Path(request.folder)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "0.png").write_bytes(request.ticket.encode())
            outputs = Outputs(files=(Output(path="0.png", media_type="image/png"),))
            return Encoded(outputs=outputs, warnings=("careful",), metadata={"seed": 7})
        if isinstance(request, EncodePart):
            folder = Path(request.folder)
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / "0.wav"
            begin = file.stat().st_size if request.number else 0
            with file.open("ab" if request.number else "wb") as grown:
                grown.write(f"part {request.number};".encode())
            return EncodedPart(file=str(file), begin=begin, end=file.stat().st_size)
        models = {model.id: model for model in self.inventory.models}
        match request.command if isinstance(request, EngineCommand) else None:
            case Preload(model, pin):
                models[model] = ResidentModel(id=model, bytes=1, where="device", pinned=pin)
            case Unload(unwanted):
                models = {name: model for name, model in models.items() if unwanted not in (None, name)}
        self.inventory = Inventory(models=tuple(models.values()), drift=self.inventory.drift)
        match request:
            case Compute():
                return Computed(inventory=self.inventory)
            case ComputeShared():
                answers = tuple(Computed(ticket=job.ticket) for job in request.jobs)
                return ComputedShared(answers=answers, inventory=self.inventory)
            case _:
                return SweepDone(inventory=self.inventory)


def stopped() -> Stopped:
    """Return the answer of an engine that was interrupted."""
    return Stopped()


class FakeJobStore:
    """Writes about jobs as (verb, job id, details); a job in `gone` is not ours any more."""

    def __init__(self) -> None:
        self.writes: list[tuple[Any, ...]] = []
        self.gone: set[str] = set()
        self.copies: dict[str, str] = {}
        self.queue: list[Job | Exception] = []
        self.claimants: list[Any] = []
        self.runs_of: list[str] = []
        """The jobs for whose run another one was asked for."""
        self.progress_gate: Callable[[], object] = lambda: None
        self.refused: list[str] = []
        """Jobs whose outputs the store refused."""
        self.refusal_errors = 0
        self.used: list[DeviceTime] = []
        """What completed jobs, and those that were ended meanwhile, have taken of the device."""
        self.runs: list[JobRun] = []
        self.environments: dict[str, Environment] = {}

    def verbs(self) -> list[str]:
        """Return what was written, without progress."""
        return [write[0] for write in self.writes if write[0] != "progress"]

    def progress_of(self, job_id: str) -> list[float]:
        """Return the fractions that were written."""
        return [write[2] for write in self.writes if write[:2] == ("progress", job_id)]

    def claim(self, claimant: Any, equal_to: Job | None = None) -> Job | None:
        """Return the next job of `queue`, with `equal_to` if it has the same model."""
        self.claimants.append(claimant)
        if equal_to is not None:
            self.runs_of.append(equal_to.id)
            if self.queue and isinstance(self.queue[0], Job) and self.queue[0].model != equal_to.model:
                return None
        job = self.queue.pop(0) if self.queue else None
        if isinstance(job, Exception):
            raise job
        return job

    def clean_copies(self, job: Job) -> dict[str, str]:
        """Return the keys of clean inputs."""
        return self.copies

    def show_progress(self, event: JobEvent) -> None:
        """Note progress."""
        self.progress_gate()
        self.writes.append(("progress", event.job_id, event.progress, event.stage, event.number))

    def note_environment(self, job: Job, digest: str, environment: Environment) -> None:
        """Note the environment of a job that is completed next."""
        self.environments[digest] = environment

    def commit(
        self,
        job: Job,
        artifacts: Sequence[Artifact],
        warnings: Sequence[str],
        cost: float,
        *,
        metered: float | None,
        used: DeviceTime,
        run: JobRun,
    ) -> Job | None:
        """Note a completed job."""
        self.runs.append(run)
        self.used.append(used)
        return self._write(job, JobStatus.COMPLETED, "commit", tuple(artifacts), tuple(warnings), cost)

    def fail(self, job: Job, error: JobError, used: DeviceTime = NO_TIME) -> Job | None:
        """Note a failed job."""
        return self._write(job, JobStatus.FAILED, "fail", error.code, error.message)

    def lose(self, job: Job, error: JobError, used: DeviceTime) -> Job | None:
        """Note a lost attempt."""
        return self._write(job, JobStatus.QUEUED, "lose", error.code, error.message)

    def release(self, job: Job, used: DeviceTime) -> Job | None:
        """Note a job that was handed back."""
        self.used.append(used)
        return self._write(job, JobStatus.QUEUED, "release")

    def postpone(self, job: Job, used: DeviceTime = NO_TIME) -> Job | None:
        """Note a job that was handed back for later."""
        return self._write(job, JobStatus.QUEUED, "postpone")

    def note_use(self, job: Job, used: DeviceTime) -> None:
        """Note what a job has used that was ended meanwhile."""
        self.used.append(used)

    def note_refusal(self, job: Job) -> bool:
        """Note that the store refused a job's outputs, unless the database is away."""
        if self.refusal_errors:
            self.refusal_errors -= 1
            return False
        self.refused.append(job.id)
        return True

    def reclaim(self, server_id: str, incarnation: int) -> None:
        """Note that jobs of earlier incarnations were taken."""
        self.writes.append(("reclaim", server_id, incarnation))

    def close(self) -> None:
        """Nothing waits here."""

    def _write(self, job: Job, status: JobStatus, verb: str, *details: Any) -> Job | None:
        self.writes.append((verb, job.id, *details))
        return None if job.id in self.gone else msgspec.structs.replace(job, status=status)


class FakeStore(DirectoryStore):
    """A store that refuses so many requests and checks first."""

    def __init__(self, folder: Path, refusals: int = 0, *, full: bool = False) -> None:
        super().__init__(folder, "http://here", "secret")
        self.refusals, self.full = refusals, full
        self.on_refusal: Callable[[], object] = lambda: None
        self.on_put: Callable[[], object] = lambda: None
        self.checks = 0

    def put(self, key: str, source: Path, media_type: str) -> None:
        """Refuse, or keep the file."""
        self._refuse()
        super().put(key, source, media_type)
        self.on_put()

    def get(self, key: str, target: Path) -> None:
        """Refuse, or copy the file."""
        self._refuse()
        super().get(key, target)

    def check(self) -> None:
        """Count the check, and refuse it as any request."""
        self.checks += 1
        self._refuse()
        super().check()

    def _refuse(self) -> None:
        if self.refusals:
            self.refusals -= 1
            self.on_refusal()
            raise StorageUnavailable("away", full=self.full)


class FakeLease:
    """The server's name: states that an operator wants, one per heartbeat, the last one for good."""

    server_id = "one"
    incarnation = 1

    def __init__(self) -> None:
        self.skewed = False
        self.desired: list[str | Exception] = ["active"]
        self.facts: list[Any] = []
        self.claims: list[dict[str, HeldClaim]] = []
        """The claims of each beat, by ticket."""
        self.gone: set[str] = set()
        """Tickets of claims that are over."""
        self.calls: list[str] = []

    def take(self, facts: Any, wait: Callable[[float], bool]) -> None:
        """Become the holder."""
        self.calls.append("take")

    def beat(self, facts: Any, claims: Sequence[HeldClaim] = ()) -> Beat:
        """Return the state that is wanted and what has become of the claims, or raise."""
        self.facts.append(facts)
        self.claims.append({claim.ticket: claim for claim in claims})
        state = self.desired.pop(0) if len(self.desired) > 1 else self.desired[0]
        if isinstance(state, Exception):
            raise state
        gone = tuple(claim.ticket for claim in claims if claim.ticket in self.gone)
        return Beat(
            desired=state, kept={c.ticket: 40 + len(self.claims) for c in claims if c.ticket not in gone}, gone=gone
        )

    def leave(self) -> None:
        """Give the name back."""
        self.calls.append("leave")


def spawn_thread(target: Callable[[], object]) -> threading.Thread:
    """Return a running daemon thread: one that hangs does not keep a red test from ending."""
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def join_all(threads: Iterable[threading.Thread]) -> None:
    """Wait for threads; fail when one is still alive."""
    for thread in threads:
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive(), f"{thread.name} did not end"
