"""The bell of the CPU workers: a Redis list of the tasks that a commit has given work. A lost one costs a poll.

It is not a Celery message, since a CPU worker is not a Celery worker. One of those that wait for the list takes an
entry.
"""

from collections.abc import Collection

import redis.asyncio.client
import redis.client

from jobs.job import Job, JobStatus

LIST = "atelier:cpu"
LIMIT = 32
"""Entries that stay while no CPU worker listens; one says as much as many."""


def add_cpu_bells(pipe: redis.client.Pipeline | redis.asyncio.client.Pipeline, jobs: Collection[Job]) -> None:
    """Add the commands that name the tasks which have work since these jobs were committed, if any has."""
    tasks = sorted({task for job in jobs for task in _tasks_of(job)})
    if tasks:
        pipe.lpush(LIST, *tasks)
        pipe.ltrim(LIST, 0, LIMIT - 1)


def _tasks_of(job: Job) -> list[str]:
    tasks = {"ingest": job.status is JobStatus.PENDING, "webhooks": job.announced}
    return [task for task, has_work in tasks.items() if has_work]
