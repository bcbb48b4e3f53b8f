"""The files of a job's outputs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import rich_click as click

from atelier_client.models import StatusAnswer
from cli.http.client import Client, refuse_unwritable
from cli.http.problems import in_commands

STDOUT = Path("-")


def save_outputs(client: Client, job: StatusAnswer, output: Path | None, preview: Path | None = None) -> list[Path]:
    """Download what a job has made; return the files.

    `output` gets the outputs of the first one's type, numbered where they are several; `-` is standard output, which
    gets the first; None leaves them out. An output of another type is a preview, for `preview` where that is named.
    """
    main = [answer for answer in job.outputs if answer.media_type == job.outputs[0].media_type]
    if output == STDOUT:
        client.copy(main[0].url, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    files = [] if output is None or output == STDOUT else numbered(output, len(main))
    for answer, file in zip(main, files, strict=False):
        client.download(answer.url, file)
    if preview is not None:
        others = [answer for answer in job.outputs if answer not in main]
        if not others:
            raise click.ClickException(f"{job.job_id} has no preview")
        client.download(others[0].url, preview)
        files.append(preview)
    return files


def refuse_failed(job: StatusAnswer) -> None:
    """Raise `ClickException` for a job that failed or was cancelled."""
    if job.error is not None:
        raise click.ClickException(f"{job.job_id} failed: {in_commands(job.error.message)} [{job.error.code}]")
    if job.status == "cancelled":
        raise click.ClickException(f"{job.job_id} was cancelled")


def succeeded(job: StatusAnswer) -> StatusAnswer:
    """Return an ended job that has outputs. Raises `ClickException` for any other."""
    refuse_failed(job)
    if not job.outputs:
        raise click.ClickException(f"{job.job_id} is {job.status} and has no outputs")
    return job


def numbered(output: Path, number: int) -> list[Path]:
    """Return the file of each of so many outputs of one type."""
    if number == 1:
        return [output]
    return [output.with_name(f"{output.stem}-{place}{output.suffix}") for place in range(1, number + 1)]


def refuse_overwriting(output: Path, number: int) -> None:
    """Raise `UsageError` where a numbered file is there already: that one was not named."""
    there = [file.name for file in numbered(output, number) if number > 1 and file.exists()]
    if there:
        raise click.UsageError(f"{', '.join(there)} would be overwritten; remove it or choose another name")


def check_output(output: Path, number: int, formats: Mapping[str, str]) -> None:
    """Refuse a file that cannot be written, before anything is computed for it.

    Raises `UsageError` for an unknown extension, without the file's folder, or where a file that was not named would be
    overwritten; `ApiError` for a file that cannot be written.
    """
    if output == STDOUT:
        if number > 1:
            raise click.UsageError("standard output takes one image; name a file for several")
        return
    if output.suffix.lower() not in formats:
        raise click.UsageError(f"{output.name}: use one of the extensions {', '.join(formats)}")
    check_folder(output)
    refuse_overwriting(output, number)


def check_folder(file: Path) -> None:
    """Refuse a file that cannot be written. Raises `UsageError` without its folder, and `ApiError`."""
    if not file.absolute().parent.is_dir():
        raise click.UsageError(f"the folder {file.absolute().parent} does not exist; create it")
    refuse_unwritable(file)


def own_names(job: StatusAnswer) -> list[str]:
    """Return the file name of each output: the caller's, for the first of that name; else the job's id and a number."""
    names = list[str]()
    for answer in job.outputs:
        name = Path(answer.name or "").name  # of a folder, whatever the server says
        is_free = name not in ("", "..", *names)
        names.append(name if is_free else f"{job.job_id}-{Path(urlsplit(answer.url).path).name}")
    return names
