"""`atelier jobs`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.http.connection import with_client
from cli.local.data_dir import data_option
from cli.output.durations import Duration
from cli.output.tables import format_time, json_option, print_json, print_table

if TYPE_CHECKING:
    from cli.http.client import Client
    from jobs.wire.status import StatusAnswer

STATES = ("pending", "queued", "processing", "completed", "failed", "cancelled")


@click.group()
def jobs() -> None:
    """List, show and cancel jobs; do failed ones again."""


@jobs.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="How many, newest first.")
@click.option("--status", type=click.Choice(STATES), help="Only these.")
@json_option
@with_client
def list_(client: "Client", limit: int, status: str | None, as_json: bool) -> None:
    """Your newest jobs."""
    found = client.jobs(limit=limit, status=status)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            job.job_id,
            job.status,
            job.model,
            f"{job.progress:.0%}",
            format_time(job.created_at),
            job.processing_time_seconds,
        ]
        for job in found
    ]
    print_table(["job", "status", "model", "progress", "made", "seconds"], rows)


@jobs.command()
@click.argument("job_id")
@json_option
@with_client
def show(client: "Client", job_id: str, as_json: bool) -> None:
    """Everything about one job."""
    _show(client.job(job_id), as_json)


@jobs.command()
@click.argument("job_id")
@json_option
@with_client
def cancel(client: "Client", job_id: str, as_json: bool) -> None:
    """End a job; one that has ended stays as it is."""
    _show(client.cancel(job_id), as_json)


@jobs.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB]...")
@click.option(
    "--code",
    "codes",
    multiple=True,
    help="Failed with this code; may be given more than once. Default: what says nothing against the job itself:"
    " attempts_exhausted, engine_lost, stage_deadline_exceeded, storage_unavailable, deadline_exceeded.",
)
@click.option(
    "--since", type=Duration(), default="24h", show_default=True, help="Failed within this time: 90m, 12h, 7d."
)
@click.option("--tenant", help="Only this tenant's; default: everybody's.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
@data_option
def redrive(
    job_ids: tuple[str, ...], codes: tuple[str, ...], since: float, tenant: str | None, dry_run: bool, data: Path
) -> None:
    """Do failed jobs again, as new jobs with the same parameters.

    A failed job stays what it is, since its webhook may have been delivered; it names the new one in `redriven_as`.
    Name jobs, or let --code and --since choose. One that was done again already is left out, so this may be repeated.
    Runs where the database is, beside `atelier up` or with its settings.
    """
    from cli.operator.database_errors import explained
    from cli.operator.redrive import dead_jobs, failed_jobs, redrive_jobs
    from cli.operator.settings import local_settings
    from cli.output.tables import format_time, print_table
    from core.database import sync_engine
    from jobs.statements.queue.redrive import SERVICES_FAULT

    settings = local_settings(data)
    engine = sync_engine(settings)
    with explained():
        if job_ids:
            found = failed_jobs(engine, job_ids)
        else:
            found = dead_jobs(engine, codes=codes or SERVICES_FAULT, seconds=since, tenant=tenant)
        if dry_run:
            rows = [
                [job.id, job.model, job.error.code if job.error else "", format_time(job.finished_at)] for job in found
            ]
            print_table(["job", "model", "error", "failed"], rows)
            return
        made = 0
        with click.progressbar(
            length=len(found), label="redriving", file=sys.stderr, hidden=sys.stdout.isatty()
        ) as bar:
            for outcome in redrive_jobs(engine, settings, found):
                bar.update(1)
                made += outcome.made is not None
                click.echo(f"{outcome.job.id} {outcome.made.id if outcome.made else '- ' + (outcome.problem or '')}")
    left = sorted(set(job_ids) - {job.id for job in found})
    click.echo(f"{made} of {len(found)} done again", err=True)
    if left:
        raise click.ClickException(f"not failed, done again already, or unknown: {', '.join(left)}")


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
        "made": format_time(job.created_at),
        "started": format_time(job.started_at),
        "finished": format_time(job.finished_at),
        "seconds": job.processing_time_seconds,
        "attempt": job.attempt,
        "seed": job.seed,
        "done again as": job.redriven_as,
        "done again for": job.redrive_of,
        "error": f"{job.error.message} [{job.error.code}]" if job.error else None,
        "warnings": "\n".join(job.warnings),
        "outputs": "\n".join(output.url for output in job.outputs),
    }
    print_table(["", ""], [[name, fact] for name, fact in facts.items() if fact not in (None, "")])
