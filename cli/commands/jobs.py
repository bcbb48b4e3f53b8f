"""`atelier jobs`."""

from typing import TYPE_CHECKING

import rich_click as click

from cli.connection import asks_api
from cli.tables import json_option, print_json, print_table, when

if TYPE_CHECKING:
    from cli.client import Client
    from jobs.answers import StatusAnswer

STATES = ("pending", "queued", "processing", "completed", "failed", "cancelled")


@click.group()
def jobs() -> None:
    """List, show and cancel jobs."""


@jobs.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many, newest first.")
@click.option("--status", type=click.Choice(STATES), help="Only these.")
@json_option
@asks_api
def list_(client: "Client", limit: int, status: str | None, as_json: bool) -> None:
    """Your newest jobs."""
    found = client.jobs(limit=limit, status=status)
    if as_json:
        print_json(found)
        return
    rows = [
        [job.job_id, job.status, job.model, f"{job.progress:.0%}", when(job.created_at), job.processing_time_seconds]
        for job in found
    ]
    print_table(["job", "status", "model", "progress", "made", "seconds"], rows)


@jobs.command()
@click.argument("job_id")
@json_option
@asks_api
def show(client: "Client", job_id: str, as_json: bool) -> None:
    """Everything about one job."""
    _show(client.job(job_id), as_json)


@jobs.command()
@click.argument("job_id")
@json_option
@asks_api
def cancel(client: "Client", job_id: str, as_json: bool) -> None:
    """End a job; one that has ended stays as it is."""
    _show(client.cancel(job_id), as_json)


def _show(job: "StatusAnswer", as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    facts = {
        "job": job.job_id,
        "status": job.status,
        "model": job.model,
        "server": job.server_id,
        "progress": f"{job.progress:.0%} {job.stage or ''}",
        "queue position": job.queue_position,
        "made": when(job.created_at),
        "started": when(job.started_at),
        "finished": when(job.finished_at),
        "seconds": job.processing_time_seconds,
        "attempt": job.attempt,
        "seed": job.seed,
        "error": f"{job.error.message} [{job.error.code}]" if job.error else None,
        "warnings": "\n".join(job.warnings),
        "outputs": "\n".join(output.url for output in job.outputs),
    }
    print_table(["", ""], [[name, fact] for name, fact in facts.items() if fact not in (None, "")])
