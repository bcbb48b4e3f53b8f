"""Progress bars of jobs, fed by their event streams."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from cli import answers
from cli.client import Client
from jobs.answers import StatusAnswer


def bars(console: Console) -> Progress:
    """One line per job: what it is, what happens now, how far it is."""
    columns = (
        TextColumn(
            "{task.description}", markup=False, table_column=Column(max_width=36, no_wrap=True, overflow="ellipsis")
        ),
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[doing]}", style="dim"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)


def watch(client: Client, job_id: str, bar: Progress, task: TaskID) -> StatusAnswer:
    """Show the job until it has ended; the job as it ended."""
    for event in client.follow(job_id):
        done = 1.0 if event.status == "completed" else event.progress
        bar.update(task, completed=done, doing=_doing(event))
    job = client.job(job_id)
    bar.update(task, completed=1.0 if job.status == "completed" else job.progress, doing=job.status)
    return job


def _doing(event: answers.Progress) -> str:
    if event.status == "queued":
        place = event.queue_position
        return f"queued, place {place}" if place else "queued"
    return event.stage or event.status
