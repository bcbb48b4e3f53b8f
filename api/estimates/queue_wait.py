"""How long a new job would wait for a server, by what runs and waits at the servers that may take it."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from api.estimates.quantiles import NONE, added, times
from jobs.statements.estimates.backlog import RunningJob, WaitingJobs
from jobs.wire.estimates.estimate import SecondsRange
from jobs.wire.wait_reasons import Reason

PaceOf = Callable[[str], SecondsRange]
"""What one job of a model takes."""


class CandidateServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server, as the statement of the fleet has it, with what decides whether it may take a job."""

    server_id: str
    alive: bool
    desired: str
    state: str
    dedicated: bool
    device: str
    serves: tuple[str, ...]
    resident: tuple[str, ...]
    current_job: str | None

    @property
    def is_idle(self) -> bool:
        """Whether it runs nothing."""
        return self.current_job is None


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """The servers that may start a job; where there are none, the `reason`."""

    servers: tuple[CandidateServer, ...] = ()
    reason: Reason | None = None

    @property
    def shared(self) -> bool:
        """Whether one of them takes jobs that ask for no server."""
        return any(not server.dedicated for server in self.servers)

    @property
    def models(self) -> list[str]:
        """The models whose jobs they take."""
        return sorted({model for server in self.servers for model in server.serves})


class JobsAhead(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs of a model would go before a new one; half a job is one whose turn is not known."""

    model: str
    jobs: float


def candidate(row: Row[Any]) -> CandidateServer:
    """Return a row of `jobs.statements.servers.fleet`."""
    return msgspec.convert(row._mapping, CandidateServer)


def candidates(fleet: Sequence[CandidateServer], model: str, asked: str | None, *, strict: bool) -> Candidates:
    """Return the servers that may start a job of this model, which asks for the server `asked`, `strict`ly or not.

    The reasons are those of a waiting job (`jobs.statements.queue.forecast`). A job that prefers a server waits for it
    alone, as long as that may take it.
    """
    alive = [server for server in fleet if server.alive]
    if asked is not None:
        own = _taking([server for server in alive if server.server_id == asked], model)
        if own.servers or strict:
            is_there = any(server.server_id == asked for server in alive)
            return own if is_there else Candidates(reason=Reason.SERVER_OFFLINE)
    return _taking([server for server in alive if not server.dedicated], model)


def _taking(servers: Sequence[CandidateServer], model: str) -> Candidates:
    serving = [server for server in servers if model in server.serves]
    active = [server for server in serving if server.desired == "active"]
    storing = [server for server in active if server.state != "store_away"]
    if storing:
        return Candidates(servers=tuple(storing))
    reason = Reason.STORE_AWAY if active else Reason.SERVER_CORDONED if serving else Reason.NO_SERVER_FOR_MODEL
    return Candidates(reason=reason)


def jobs_ahead(waiting: Collection[WaitingJobs], tenant: str, priority: int) -> list[JobsAhead]:
    """Return the jobs that would go before a new one of a tenant, by model.

    All of a higher priority, and all of the tenant's own of the same one. Tenants take turns: of every other tenant as
    many as of its own, and half a job more, since which of the two has the next turn is not known.
    """
    of_tenant = Counter[str]()
    for group in waiting:
        of_tenant[group.tenant] += group.jobs if group.priority == priority else 0
    turns = of_tenant[tenant] + 0.5
    ahead = []
    for group in waiting:
        if group.priority < priority:
            continue
        takes_turns = group.priority == priority and group.tenant != tenant
        share = min(1.0, turns / of_tenant[group.tenant]) if takes_turns else 1.0
        ahead.append(JobsAhead(model=group.model, jobs=share * group.jobs))
    return ahead


def count(ahead: Iterable[JobsAhead]) -> int:
    """Return the number of jobs, a half as a whole one."""
    return math.ceil(sum(each.jobs for each in ahead))


def queue_wait(
    servers: Sequence[CandidateServer], running: Collection[RunningJob], ahead: Collection[JobsAhead], pace_of: PaceOf
) -> SecondsRange:
    """Return the seconds until one of the servers is free for the job.

    That is none while more of them are idle than jobs are ahead. Else they share the work that is left of what they run
    and the jobs ahead: what is unfinished, divided by the servers, as if none of them were idle meanwhile.
    """
    idle = sum(server.is_idle for server in servers)
    if count(ahead) < idle:
        return NONE
    unfinished = [(1.0, times(1.0 - min(max(job.progress, 0.0), 1.0), pace_of(job.model))) for job in running]
    whole = added([*unfinished, *((each.jobs, pace_of(each.model)) for each in ahead)])
    return times(1 / len(servers), whole)
