"""`atelier generate`: make something and keep it in a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.connection import asks_api

if TYPE_CHECKING:
    from cli.client import Client

FORMATS = {".webp": "webp", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


@click.group()
def generate() -> None:
    """Make something and save it."""


@generate.command()
@click.argument("prompt")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option("--model", help="A model of `atelier models`; default: the service's choice.")
@click.option("--width", type=int, help="Pixels.")
@click.option("--height", type=int, help="Pixels.")
@click.option("--steps", "num_inference_steps", type=int, help="Denoising steps.")
@click.option("--guidance", "guidance_scale", type=float, help="Adherence to the prompt.")
@click.option("--negative-prompt", help="What to avoid.")
@click.option("--seed", type=int, help="The same seed makes the same picture; default: a fresh one.")
@click.option("--server-id", help="Run on this server only.")
@asks_api
def image(client: "Client", prompt: str, output: Path, **fields: Any) -> None:
    """Make a picture from PROMPT. The file's ending chooses the format: webp, png, jpg. Ctrl-C cancels the job."""
    if output.suffix.lower() not in FORMATS:
        raise click.UsageError(f"{output.name}: end the file's name in {', '.join(FORMATS)}")
    if not output.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {output.absolute().parent}")
    given = {name: value for name, value in fields.items() if value is not None}
    body = {"prompt": prompt, "output_format": FORMATS[output.suffix.lower()], **given}
    _make(client, "/generate/image/v1", body, output)


def _make(client: "Client", path: str, body: dict[str, Any], output: Path) -> None:
    from rich.console import Console

    from cli.progress import bars, watch

    job_id = client.submit(path, body)
    try:
        with bars(Console(stderr=True)) as bar:
            job = watch(client, job_id, bar, bar.add_task(job_id, total=1.0, doing="submitted"))
    except KeyboardInterrupt:
        client.cancel(job_id)
        raise click.ClickException(f"{job_id} was cancelled") from None
    if job.error is not None:
        raise click.ClickException(f"{job_id} failed: {job.error.message} [{job.error.code}]")
    if job.result_url is None:
        raise click.ClickException(f"{job_id} was {job.status}")
    client.download(job.result_url, output)
    for warning in job.warnings:
        click.echo(f"note: {warning}", err=True)
    click.echo(f"{output} ({job.model}, seed {job.seed}, {job.processing_time_seconds:.1f} s)")
