"""The CPU worker's turns at chains: a step gets the outputs of earlier ones as its inputs, and the last one ends it.

All jobs of a chain are there from its submit on, so budget, cap and price are those of ordinary jobs; a step that takes
an output waits for inputs. One worker at a time has a chain, whose row is locked while its steps get inputs. A worker
that is killed leaves nothing half done.
"""

import logging
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Engine

from core.settings import Settings
from jobs.chains.chain import Chain, ChainStep, chain_from_row, step_from_row
from jobs.job import Job, job_from_row
from jobs.notify import JobNotifier
from jobs.statements.chains import chains, work
from jobs.statements.media.inputs import fail_job
from jobs.statements.queue.submit import add_inputs
from jobs.statements.queue.tenant_jobs import all_visible, cancel
from workers.chains.turn import LACKS_INPUT, Turn, decide, sources_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 15.0
KEEP_SECONDS = 30 * 86_400.0
"""How long chains that have ended are kept; their jobs stay as long as any."""


class ChainWork:
    """The tasks. Both return whether more of the same is waiting; neither is called twice at once."""

    def __init__(self, settings: Settings, db: Engine) -> None:
        self._db = db
        self._notifier = JobNotifier.connect(settings)

    def advance(self) -> bool:
        """Take a turn at a chain that is due; return whether one was.

        A chain whose turn fails is postponed, so that it does not keep others from theirs.
        """
        chain: Chain | None = None
        try:
            with self._db.begin() as connection:
                row = connection.execute(work.take_chain()).first()
                if row is None:
                    return False
                chain = chain_from_row(row)
                done = self._turn(connection, chain)
        except Exception:
            if chain is not None:
                self._postpone(chain)
            raise
        self._notifier.notify(*done.changed)
        self._cancel(chain, done.turn.cancelled)
        if done.turn.ends_as is not None:
            log.info("chain: ended chain=%s status=%s", chain.id, done.turn.ends_as)
        return True

    def expire(self) -> bool:
        """Remove chains that ended long ago; return whether there may be more."""
        with self._db.begin() as connection:
            gone = connection.execute(work.forget_chains(KEEP_SECONDS)).all()
        return len(gone) >= work.OLD_AT_ONCE

    def _turn(self, connection: Connection, chain: Chain) -> "_Done":
        """Do what the states of the jobs ask for; jobs are cancelled afterwards."""
        steps = [step_from_row(row) for row in connection.execute(chains.steps_of([chain.id]))]
        rows = connection.execute(all_visible([step.job_id for step in steps], chain.tenant))
        jobs = {job.id: job for job in map(job_from_row, rows)}
        turn = decide(chain, steps, jobs)
        if turn.ends_as is not None:
            connection.execute(work.end_chain(chain.id, turn.ends_as, failed_step=turn.failed_step, error=turn.error))
            return _Done(turn)
        changed = [job for step in turn.begun if (job := _begin(connection, step, steps, jobs)) is not None]
        for step in turn.lacking:
            failed = connection.execute(fail_job(step.job_id, LACKS_INPUT)).first()
            changed += [] if failed is None else [job_from_row(failed)]
        connection.execute(work.look_again(chain.id, changed=bool(changed or turn.cancelled)))
        return _Done(turn, changed)

    def _cancel(self, chain: Chain, jobs: Sequence[Job]) -> None:
        """Cancel jobs, each in a transaction of its own: together they could wait for their workers in a circle."""
        for job in jobs:
            with self._db.begin() as connection:
                row = connection.execute(cancel(job.id, chain.tenant)).first()
            if row is not None:
                self._notifier.notify(job_from_row(row))

    def _postpone(self, chain: Chain) -> None:
        with self._db.begin() as connection:
            connection.execute(work.look_again(chain.id, RETRY_SECONDS))


class _Done(msgspec.Struct, frozen=True):
    """What a turn has done, and the jobs that it has changed."""

    turn: Turn
    changed: Sequence[Job] = ()


def _begin(connection: Connection, step: ChainStep, steps: Sequence[ChainStep], jobs: dict[str, Job]) -> Job | None:
    """Give a step its inputs, and return its job; None where that has ended meanwhile."""
    assert step.wait is not None, "a step that does not wait has its inputs"
    begun = work.begin_job(step.job_id, deadline=step.wait.deadline, start=step.wait.start)
    row = connection.execute(begun).first()
    if row is None:
        return None
    connection.execute(add_inputs(step.job_id, row.tenant, sources_of(step, steps, jobs)))
    connection.execute(work.mark_begun(step.chain, step.number))
    return job_from_row(row)
