"""A stand-in for a worker: it claims and changes jobs by the statements that workers use, and publishes them."""

from collections.abc import Sequence

from jobs.events import Publisher
from jobs.job import Artifact, Job, JobError
from jobs.statements.queue import claimed
from jobs.statements.queue.claim import Claimant
from tests.support.rows.rows import Rows


class WorkerStub:
    """`claimant` is the server it plays. Every method fails when the statement matches no row."""

    def __init__(self, rows: Rows, claimant: Claimant, publisher: Publisher) -> None:
        self.rows = rows
        self.claimant = claimant
        self.publisher = publisher

    def claim(self) -> Job:
        """Take the next job."""
        return self.tell(self.rows.claim(self.claimant))

    def progress(self, job: Job, fraction: float, stage: str = "step", warnings: Sequence[str] = ()) -> Job:
        """Report progress."""
        return self.tell(self.rows.report(job, fraction, stage, warnings))

    def complete(self, job: Job, *artifacts: Artifact) -> Job:
        """Commit a result."""
        return self.tell(self.rows.complete(job, *artifacts))

    def fail(self, job: Job, error: JobError) -> Job:
        """Commit a failure."""
        return self.tell(self.rows.change(claimed.fail(job.id, job.fence, error)))

    def tell(self, job: Job | None) -> Job:
        """Publish what has become of a job."""
        assert job is not None, "no row was changed"
        self.publisher.publish([job])
        return job
