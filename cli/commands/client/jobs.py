"""`atelier jobs`."""

import sys
from pathlib import Path
from typing import BinaryIO

import msgspec
import rich_click as click
from click import get_current_context

from cli.choices import NearestChoice
from cli.commands.client.job_facts import asked_for, facts_of, log_place, manifest_facts, print_job, progress_of
from cli.http.client import Client
from cli.http.connection import with_client
from cli.http.object_lines import read_object_lines
from cli.http.outputs import STDOUT, own_names, refuse_failed, save_outputs, succeeded
from cli.http.progress import job_bars
from cli.http.progress import watch as follow
from cli.local.data_dir import DataDirectory, data_option
from cli.local.log_files import lines_about
from cli.output.durations import Duration
from cli.output.interrupts import TimedOut, TimeLimit, time_limit
from cli.output.status import lossy, print_line, status_console
from cli.output.tables import format_time, json_option, print_facts, print_json, print_table
from jobs.job import JobStatus

LOG_LINES = 20
LONGEST_TITLE = 40
"""Characters of what was asked for, in a list."""


@click.group()
def jobs() -> None:
    """Submit, list, show, watch, download, reproduce, cancel, delete and redrive jobs; pause the queue."""


@jobs.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="Number of jobs.")
@click.option("--status", type=NearestChoice([status.value for status in JobStatus]), help="Only jobs in this status.")
@json_option
@with_client
def list_(client: Client, limit: int, status: str | None, as_json: bool) -> None:
    """List your newest jobs."""
    answers = client.jobs(limit=limit, status=status)
    if as_json:
        print_json(answers)
        return
    rows = [
        [
            job.job_id,
            job.status,
            _brief(job.title),
            job.modality,
            job.model,
            progress_of(job),
            job.queue_position,
            job.waiting_for.code if job.waiting_for else None,
            format_time(job.created_at),
            job.processing_time_seconds,
        ]
        for job in answers
    ]
    titles = ["job", "status", "title", "modality", "model", "progress", "place", "waits for", "created", "seconds"]
    optional = ["title", "model", "progress", "created", "modality", "waits for", "place", "seconds"]
    print_table(titles, rows, optional=optional)


def _brief(title: str | None) -> str | None:
    return title if title is None or len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1].rstrip()}…"


@jobs.command()
@click.argument("job_id")
@click.option("--log", "with_log", is_flag=True, help="Print the last log lines about it, of the `atelier up` here.")
@json_option
@with_client
def show(client: Client, job_id: str, with_log: bool, as_json: bool) -> None:
    """Show all facts about one job: what was asked for, how far it is, why it waits or failed, where its log is."""
    job, request = client.job(job_id), client.known_request(job_id)
    if as_json:
        print_json({**msgspec.to_builtins(job), "request": request})
        return
    directory = DataDirectory(get_current_context().params["data"])
    is_here = directory.read_settings().get("ATELIER_URL") == client.url
    lines = list(lines_about(directory, job_id)) if is_here else []
    print_facts(facts_of(job) | asked_for(request) | {"log": log_place(job, request, directory, lines)})
    for name, line in lines[-LOG_LINES:] if with_log else []:
        print_line(f"{name}: {line}")


@jobs.command()
@click.argument("job_id")
@click.option("--timeout", type=Duration(), help="Stop watching after so long: 45s, 10m, 2h; the job goes on.")
@json_option
@with_client
def watch(client: Client, job_id: str, timeout: float | None, as_json: bool) -> None:
    """Show the progress of a job until it has ended; Ctrl-C leaves it as it is."""
    try:
        with time_limit(timeout), job_bars(status_console()) as bar:
            job = follow(client, job_id, bar, bar.add_task(job_id, total=1.0, doing="asked for"))
    except TimeLimit:
        raise TimedOut(f"{job_id} has not ended yet; it goes on") from None
    print_job(job, as_json)
    refuse_failed(job)


@jobs.command()
@click.argument("job_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    help="File for the first output, or - for standard output; default: all outputs, by their names, in this folder.",
)
@with_client
def download(client: Client, job_id: str, output: Path) -> None:
    """Download the outputs of a completed job; a file that is there already is never overwritten unless it is named."""
    job = succeeded(client.job(job_id))
    if output == STDOUT or not output.is_dir():
        files = save_outputs(client, msgspec.structs.replace(job, outputs=job.outputs[:1]), output)
    else:
        files = [output / name for name in own_names(job)]
        there = [str(file) for file in files if file.exists()]
        if there:
            raise click.ClickException(f"{', '.join(there)} is there already; name a file or a folder with -o")
        for answer, file in zip(job.outputs, files, strict=True):
            client.download(answer.url, file)
    for file in files:
        print_line(str(file))


@jobs.command()
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB...")
@with_client
def delete(client: Client, job_ids: tuple[str, ...]) -> None:
    """Delete jobs with their prompts, inputs and outputs; one that runs is cancelled."""
    for job_id in job_ids:
        client.delete(job_id)
        print_line(f"{job_id} is deleted")


@jobs.command()
@click.argument("job_id")
@json_option
@with_client
def cancel(client: Client, job_id: str, as_json: bool) -> None:
    """Cancel a job; a job that has ended stays as it is."""
    print_job(client.cancel(job_id), as_json)


@jobs.command()
@click.argument("job_id")
@json_option
@with_client
def manifest(client: Client, job_id: str, as_json: bool) -> None:
    """Show what a completed job was made with: model and revision, weights, versions, device, seed and outputs."""
    made = client.manifest(job_id)
    if as_json:
        print_json(made)
        return
    print_facts(manifest_facts(made))


@jobs.command()
@click.argument("job_id")
@click.option("--idempotency-key", help="A repeat with this key submits nothing new.")
@json_option
@with_client
def reproduce(client: Client, job_id: str, idempotency_key: str | None, as_json: bool) -> None:
    """Submit a completed job again, with its fields, seed and inputs; the id of the new job goes to standard output."""
    again = client.reproduce(job_id, idempotency_key=idempotency_key)
    if as_json:
        print_json(again)
        return
    print_line(again.job_id)


@jobs.command()
@click.argument("file", type=click.File("rb"))
@click.option("--idempotency-key", help="A repeat with this key and the same jobs submits nothing new.")
@json_option
@with_client
def submit(client: Client, file: BinaryIO, idempotency_key: str | None, as_json: bool) -> None:
    """Submit the jobs of FILE, or - for standard input: all of them or none; their ids go to standard output.

    Each line is a job as JSON: its `modality` (image, video, …) and the fields of the API, at most 100 lines.
    """
    lines = read_object_lines(file)
    with lines.named("jobs"):
        accepted = client.submit_many(lines.objects, idempotency_key=idempotency_key)
    if as_json:
        print_json(accepted)
        return
    for job in accepted:
        print_line(job.job_id)


@jobs.command()
@click.argument("job_id")
@click.argument("priority", type=click.IntRange(0, 9))
@json_option
@with_client
def priority(client: Client, job_id: str, priority: int, as_json: bool) -> None:
    """Change the PRIORITY of a waiting job, 0 (lowest) to 9."""
    print_job(client.set_priority(job_id, priority), as_json)


@jobs.command()
@with_client
def pause(client: Client) -> None:
    """Start none of your jobs until `atelier jobs resume`; those that run go on."""
    click.echo(f"paused since {format_time(client.pause_queue().paused_at)}")


@jobs.command()
@with_client
def resume(client: Client) -> None:
    """Start your jobs again."""
    client.resume_queue()
    click.echo("resumed")


@jobs.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB]...")
@click.option(
    "--code",
    "codes",
    multiple=True,
    help="Only jobs that failed with this code; may be repeated. Default: the codes for which the service is to blame:"
    " attempts_exhausted, engine_lost, stage_deadline_exceeded, storage_unavailable, deadline_exceeded.",
)
@click.option(
    "--since",
    type=Duration(),
    default="24h",
    show_default=True,
    help="Failed in this time: 90m, 12h, 7d.",
)
@click.option("--tenant", help="Only jobs of this tenant; default: of every tenant.")
@click.option("--dry-run", is_flag=True, help="List the jobs and change nothing.")
@data_option
def redrive(
    job_ids: tuple[str, ...], codes: tuple[str, ...], since: float, tenant: str | None, dry_run: bool, data: Path
) -> None:
    """Submit failed jobs again, as new jobs with the same parameters.

    A failed job stays failed, since its webhook may have been delivered; its `redriven_as` names the new job. Name
    jobs, or select them by --code and --since. The command may be repeated: it leaves out a job that was redriven.
    Runs where the database is, beside `atelier up` or with its settings.
    """
    from cli.operator.database_errors import database_errors_explained  # the other commands need no database
    from cli.operator.redrive import failed_jobs, jobs_failed_with, redrive_jobs
    from cli.operator.settings import local_settings
    from core.database import sync_engine
    from jobs.statements.queue.redrive import SERVICES_FAULT

    settings = local_settings(data)
    db = sync_engine(settings)
    with database_errors_explained():
        if job_ids:
            failed = failed_jobs(db, job_ids)
        else:
            failed = jobs_failed_with(db, codes=codes or SERVICES_FAULT, seconds=since, tenant=tenant)
        if dry_run:
            rows = [
                [job.id, job.model, job.error.code if job.error else "", format_time(job.finished_at)] for job in failed
            ]
            print_table(["job", "model", "error", "failed"], rows, optional=["error", "failed"])
            return
        redriven = 0
        with click.progressbar(
            length=len(failed), label="redriving", file=lossy(sys.stderr), hidden=sys.stdout.isatty()
        ) as bar:
            for outcome in redrive_jobs(db, settings, failed):
                bar.update(1)
                redriven += outcome.new is not None
                print_line(f"{outcome.job.id} {outcome.new.id if outcome.new else '- ' + (outcome.problem or '')}")
    missing = sorted(set(job_ids) - {job.id for job in failed})
    click.echo(f"{redriven} of {len(failed)} redriven", err=True)
    if missing:
        raise click.ClickException(f"not failed, redriven already, or unknown: {', '.join(missing)}")
