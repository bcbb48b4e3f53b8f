"""`atelier demo`: three pictures through the whole service, and nothing left running."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from cli.client import Client
    from jobs.answers import StatusAnswer

PROMPTS = (
    "a red circle on a blue background",
    "a small yellow star in the top left on a purple background",
    "a green ring to the left of an orange square on white",
)


@click.command()
@click.option(
    "-o", "--out", default="out", show_default=True, type=click.Path(path_type=Path, file_okay=False), help="Folder."
)
def demo(out: Path) -> None:
    """Start everything in a temporary folder, make three pictures, stop everything."""
    from cli.address import free_address
    from cli.commands.up import Ending, say
    from cli.embedded import ServerFailed
    from cli.home import Home
    from cli.stack import Stack
    from cli.tables import print_table

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="atelier-demo-") as folder:
        stack = Stack(Home(Path(folder) / "data"), free_address(), say)
        Ending(stack.hurry, interrupt=True)
        try:
            with stack:
                stack.start()
                if not stack.await_ready():
                    raise click.ClickException("the service did not come up; what it said is above")
                with stack.client() as client:
                    rows = _make(client, out)
        except (ServerFailed, ValueError) as error:
            raise click.ClickException(str(error)) from None
    print_table(["prompt", "in queue", "computing", "file"], rows)


def _make(client: "Client", out: Path) -> list[list[str]]:
    """Hand in all three, follow one after the other, fetch what they made."""
    from rich.console import Console

    from cli.progress import bars, watch

    job_ids = [client.submit("/generate/image/v1", {"prompt": prompt}) for prompt in PROMPTS]
    with bars(Console()) as bar:
        tasks = [bar.add_task(prompt, total=1.0, doing="submitted") for prompt in PROMPTS]
        ended = [watch(client, job_id, bar, task) for job_id, task in zip(job_ids, tasks, strict=True)]
    return [_fetch(client, prompt, job, out) for prompt, job in zip(PROMPTS, ended, strict=True)]


def _fetch(client: "Client", prompt: str, job: "StatusAnswer", out: Path) -> list[str]:
    if job.result_url is None or job.started_at is None:
        reason = job.error.message if job.error else job.status
        raise click.ClickException(f"{prompt!r} was not made: {reason}")
    target = out / f"{prompt.replace(' ', '-')}.webp"
    client.download(job.result_url, target)
    waited = (job.started_at - job.created_at).total_seconds()
    return [prompt, f"{waited:.2f} s", f"{job.processing_time_seconds:.2f} s", str(target)]
