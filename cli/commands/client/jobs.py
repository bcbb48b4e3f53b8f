"""`atelier jobs`."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import rich_click as click
from click import get_current_context

from atelier_client.models import JobRequest, StatusAnswer
from cli.choices import NearestChoice
from cli.http.client import Client
from cli.http.connection import with_client
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
ENDED_EARLY = ("cancelled", "failed")
SHOWN_ELSEWHERE = ("callback_url", "model", "modality", "priority")
LONGEST_VALUE = 200
"""Characters that are shown of a parameter; a data: URL has millions."""


@click.group()
def jobs() -> None:
    """List, show, watch, download, cancel, delete and redrive jobs."""


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
            job.model,
            _progress(job),
            job.queue_position,
            job.waiting_for.code if job.waiting_for else None,
            format_time(job.created_at),
            job.processing_time_seconds,
        ]
        for job in answers
    ]
    titles = ["job", "status", "model", "progress", "place", "waits for", "created", "seconds"]
    print_table(titles, rows, optional=["progress", "created", "waits for", "place", "seconds"])


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
    print_facts(_facts(job) | _asked_for(request) | {"log": _log_place(job, request, directory, lines)})
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
    _print_job(job, as_json)
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
        print_line(job_id)


@jobs.command()
@click.argument("job_id")
@json_option
@with_client
def cancel(client: Client, job_id: str, as_json: bool) -> None:
    """Cancel a job; a job that has ended stays as it is."""
    _print_job(client.cancel(job_id), as_json)


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


def _print_job(job: StatusAnswer, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    print_facts(_facts(job))


def _asked_for(request: JobRequest | None) -> dict[str, object]:
    """Return the facts about the submit: the prompt, then the parameters that have a value."""
    if request is None:
        return {"prompt": "unknown: this API is older than the command line"}
    params = {name: value for name, value in (request.params or {}).items() if name not in SHOWN_ELSEWHERE}
    text: dict[str, object] = {name: params.pop(name) for name in ("prompt", "text") if name in params}
    given = [f"{name}={_shortened(value)}" for name, value in sorted(params.items()) if value not in (None, (), [], "")]
    return {
        **(text or {"prompt": None if params else "removed, when the retention of prompts ended"}),
        "parameters": "\n".join(given),
        "priority": request.priority,
        "deadline": format_time(request.deadline_at),
        "callback": request.callback_url,
        "tenant": request.tenant or request.tenant_id,
        "trace": request.trace_id,
    }


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _log_place(
    job: StatusAnswer, request: JobRequest | None, directory: DataDirectory, lines: Sequence[tuple[str, str]]
) -> str:
    """Return where the log lines about a job are."""
    if lines:
        files = ", ".join(f"{name}.log" for name in dict.fromkeys(name for name, _ in lines))
        return f"{len(lines)} lines in {files} of {directory.logs}; --log, or `atelier logs --job {job.job_id}`"
    places = ["the API", *([f"the worker {job.server_id}"] if job.server_id else []), "the CPU worker"]
    trace = f" or {request.trace_id}" if request is not None and request.trace_id else ""
    return f"lines with {job.job_id}{trace} in the logs of {', '.join(places)}"


def _progress(job: StatusAnswer) -> str | None:
    """Return how far a job is, and in which stage; None for one that ended before it had begun."""
    if job.status in ENDED_EARLY:
        return f"ended at {job.progress:.0%}" if job.progress else None
    return " ".join(filter(None, [f"{job.progress:.0%}", job.stage]))


def _facts(job: StatusAnswer) -> dict[str, object]:
    """Return the facts about the state of a job."""
    return {
        "job": job.job_id,
        "status": job.status,
        "modality": job.modality,
        "model": job.model,
        "server": job.server_id,
        "progress": _progress(job),
        "queue position": job.queue_position,
        "waits for": f"{job.waiting_for.message} [{job.waiting_for.code}]" if job.waiting_for else None,
        "created": format_time(job.created_at),
        "started": format_time(job.started_at),
        "finished": format_time(job.finished_at),
        "seconds": job.processing_time_seconds,
        "attempt": job.attempt,
        "seed": job.seed,
        "redriven as": job.redriven_as,
        "redrive of": job.redrive_of,
        "error": f"{job.error.message} [{job.error.code}]" if job.error else None,
        "warnings": "\n".join(job.warnings),
        "outputs": "\n".join(output.url for output in job.outputs),
    }
