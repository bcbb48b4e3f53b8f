"""Progress bars of jobs, from their event streams, and of servers that drain."""

import time
from contextlib import suppress

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from atelier_client.models import ChainAnswer, ProgressEvent, ServerAnswer, StatusAnswer
from cli.http.client import Client
from cli.http.problems import ApiUnavailable
from cli.output.bar_times import ElapsedTime
from cli.output.status import status_console
from jobs.wire.wait_reasons import Reason

POLL_SECONDS = 0.5
FOLLOWED_SECONDS = 5.0
"""How long an order is given to show in what its server reports; one that hears it reports at once."""


def job_bars(console: Console) -> Progress:
    """Return a progress display with one line per job: title, bar, percentage, stage and time."""
    columns = (
        TextColumn(
            "{task.description}", markup=False, table_column=Column(max_width=36, no_wrap=True, overflow="ellipsis")
        ),
        BarColumn(bar_width=12),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[doing]}", style="dim"),
        ElapsedTime(),
    )
    return Progress(*columns, console=console)


def watch(client: Client, job_id: str, bar: Progress, task: TaskID) -> StatusAnswer:
    """Show a job's progress until it has ended; return the ended job.

    A job whose model no server serves is noted once, with what could be done.
    """
    is_noted = False
    for event in client.subscribe(job_id):
        done = 1.0 if event.status == "completed" else event.progress
        bar.update(task, completed=done, doing=describe(event))
        if _is_unserved(event) and not is_noted:
            is_noted = True
            with suppress(ApiUnavailable):  # `subscribe` bears with that, and so the note does
                bar.console.print(unserved_note(client, job_id), markup=False, highlight=False, soft_wrap=True)
    job = client.job(job_id)
    bar.update(task, completed=1.0 if job.status == "completed" else job.progress, doing=job.status)
    return job


def watch_chain(client: Client, chain: ChainAnswer, bar: Progress) -> ChainAnswer:
    """Show the progress of a chain's jobs, a line for each, until it has ended; return the ended chain."""
    jobs = [step.job for step in chain.steps if step.job is not None]
    tasks = [bar.add_task(step.name, total=1.0, doing="waits") for step in chain.steps if step.job is not None]
    for job, task in zip(jobs, tasks, strict=True):
        watch(client, job.job_id, bar, task)
    while (ended := client.chain(chain.chain_id)).finished_at is None:  # a moment after its last job
        time.sleep(POLL_SECONDS)
    return ended


def await_drained(client: Client, server_id: str) -> ServerAnswer:
    """Show a draining server until it is drained or offline, or an operator changes its desired state."""
    columns = TextColumn("{task.description}", markup=False), ElapsedTime()
    with Progress(*columns, console=status_console()) as bar:
        task = bar.add_task(f"{server_id}: draining", total=None)
        while True:
            server = client.server(server_id)
            at = f", at {server.current_job}" if server.current_job else ""
            bar.update(task, description=f"{server_id}: {server.state}{at}")
            if server.state in ("drained", "offline") or server.desired != "draining":
                bar.update(task, total=1, completed=1)
                return server
            time.sleep(POLL_SECONDS)


def await_followed(client: Client, server: ServerAnswer) -> ServerAnswer:
    """Return a server as it is once it has followed the order to cordon, uncordon or drain, or after some seconds."""
    until = time.monotonic() + FOLLOWED_SECONDS
    while not has_followed(server) and time.monotonic() < until:
        time.sleep(FOLLOWED_SECONDS / 50)
        server = client.server(server.server_id)
    return server


def has_followed(server: ServerAnswer) -> bool:
    """Return whether the reported state is one of the desired state; that of an absent server is the desired one."""
    if server.state in ("idle", "busy", "store_away"):
        return server.desired != "draining"
    return server.state not in ("draining", "drained") or server.desired == "draining"


def unserved_note(client: Client, job_id: str) -> str:
    """Return the sentence about a job that waits for a server of its model."""
    job = client.job(job_id)
    here = ", ".join(model.id for model in client.models() if model.available and model.modality == job.modality)
    return (
        f"{job_id} waits: no running server serves {job.model}; here: {here or 'no model of its kind'}. "
        f"`atelier weights fetch {job.model}` on a server gets it, `atelier jobs cancel {job_id}` ends the wait."
    )


def describe(event: ProgressEvent | StatusAnswer) -> str:
    """Return in a few words, beside a bar, what a job does or waits for."""
    if _is_unserved(event):
        return "no server yet"
    if event.status == "queued":
        place = event.queue_position
        return f"queued, place {place}" if place else "queued"
    return event.stage or event.status


def _is_unserved(event: ProgressEvent | StatusAnswer) -> bool:
    return event.waiting_for is not None and event.waiting_for.code == Reason.NO_SERVER_FOR_MODEL
