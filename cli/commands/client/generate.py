"""`atelier generate`: generate media and save it in a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import rich_click as click

from cli.commands.client.request_options import request_body, request_options
from cli.http.client import Client, refuse_unwritable
from cli.http.connection import with_client
from cli.http.progress import job_bars, watch
from cli.output.status import status_console
from jobs.params.modality import ModalitySpec
from jobs.params.registry import MODALITIES
from jobs.wire.status import OutputAnswer


@click.group()
def generate() -> None:
    """Generate media and save it in a file.

    The extension of the file selects the format. Images and recordings are local files, which are uploaded, or URLs.
    Ctrl-C cancels the job.
    """


def generate_command(modality: ModalitySpec) -> click.Command:
    """Return the command that generates one modality; its options are the fields of the parameters."""

    def run(client: Client, output: Path, **values: Any) -> None:
        body = request_body(values) | {"output_format": _format(output, modality.formats)}
        _generate(client, modality.path, _upload(client, body, modality.params.media), output)

    run.__doc__ = f"{modality.summary}: {', '.join(dict.fromkeys(modality.formats.values()))}."
    command = click.command(modality.word)(with_client(run))
    argument, *options = request_options(modality)
    output = click.Option(
        ["-o", "--output"], required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write."
    )
    command.params[:0] = [argument, output, *options]
    return command


for _modality in MODALITIES:
    generate.add_command(generate_command(_modality))


def _format(output: Path, formats: Mapping[str, str]) -> str:
    """Return the format of a file's extension.

    Raises `UsageError` for an unknown one or without the file's folder, `ApiError` for a file that cannot be written.
    """
    if output.suffix.lower() not in formats:
        raise click.UsageError(f"{output.name}: use one of the extensions {', '.join(formats)}")
    if not output.absolute().parent.is_dir():
        raise click.UsageError(f"the folder {output.absolute().parent} does not exist; create it")
    refuse_unwritable(output)
    return formats[output.suffix.lower()]


def _upload(client: Client, body: dict[str, Any], media: Mapping[str, str]) -> dict[str, Any]:
    """Return the body with the local files of its media uploaded."""
    sent = dict(body)
    for name in media.keys() & body.keys():
        value = body[name]
        sent[name] = client.source(value) if isinstance(value, str) else [client.source(one) for one in value]
    return sent


def _generate(client: Client, path: str, body: dict[str, Any], output: Path) -> None:
    """Submit a job, show its progress, and download its outputs; cancel it on Ctrl-C."""
    job_id = client.submit(path, body)
    try:
        with job_bars(status_console()) as bar:
            job = watch(client, job_id, bar, bar.add_task(job_id, total=1.0, doing="submitted"))
    except KeyboardInterrupt:
        client.cancel(job_id)
        raise click.ClickException(f"{job_id} was cancelled") from None
    if job.error is not None:
        raise click.ClickException(f"{job_id} failed: {job.error.message} [{job.error.code}]")
    if not job.outputs:
        raise click.ClickException(f"{job_id} was {job.status}")
    files = _files(job.outputs, output)
    for answer, file in zip(job.outputs, files, strict=True):
        client.download(answer.url, file)
    for warning in job.warnings:
        click.echo(f"note: {warning}", err=True)
    for file in files:
        click.echo(f"{file} ({_describe(job.model, job.seed, job.processing_time_seconds)})")


def _files(outputs: Sequence[OutputAnswer], output: Path) -> list[Path]:
    """Return the file of each output: numbered when several have one type, and for all after the first."""
    several = sum(answer.media_type == outputs[0].media_type for answer in outputs) > 1
    return [
        output
        if number == 1 and not several
        else output.with_name(f"{output.stem}-{number}{Path(urlsplit(answer.url).path).suffix}")
        for number, answer in enumerate(outputs, 1)
    ]


def _describe(model: str, seed: int | None, seconds: float | None) -> str:
    return ", ".join([model, *([] if seed is None else [f"seed {seed}"]), f"{seconds or 0:.1f} s"])
