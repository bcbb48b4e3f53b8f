"""`atelier generate`: generate media and save it in a file."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from atelier_client.models import StatusAnswer
from cli.commands.client.estimate_facts import print_estimate
from cli.commands.client.request_options import request_body, request_options
from cli.http.client import ALREADY_A_SOURCE, Client
from cli.http.connection import with_client
from cli.http.outputs import STDOUT, check_folder, check_output, save_outputs, succeeded
from cli.http.problems import ApiError, in_commands
from cli.http.progress import job_bars, watch
from cli.output.durations import Duration
from cli.output.interrupts import CommandInterrupted, TimedOut, TimeLimit, time_limit
from cli.output.status import status_console
from cli.output.tables import json_option, print_json
from jobs.params.media import LORAS
from jobs.params.modality import ModalitySpec
from jobs.params.registry import MODALITIES

VOICE = "target_voice_path"
LOOKED_AT = {"webp", "png", "svg", "mp4"}
"""Formats that need no preview; outputs in others come with a picture."""
Wait = Callable[[Client, str], StatusAnswer]
"""Waits until a job has ended, and returns it."""


@click.group()
def generate() -> None:
    """Generate media and save it in a file.

    The extension of the file selects the format. Images and recordings are local files, which are uploaded, or URLs.
    Ctrl-C cancels the job.
    """


def generate_command(modality: ModalitySpec) -> click.Command:
    """Return the command that generates one modality; its options are the fields of the parameters."""

    def run(
        client: Client,
        output: Path | None,
        timeout: float | None,
        no_wait: bool,
        estimate: bool,
        as_json: bool,
        preview: Path | None = None,
        **values: Any,
    ) -> None:
        body = request_body(values)
        if estimate:
            print_estimate(client.estimate(modality.name, **_with_paths(body, modality.params.media)), as_json)
            return
        _check_choices(output, preview, timeout, no_wait=no_wait, as_json=as_json)
        if output is not None:
            check_output(output, body.get("num_images", 1), modality.formats)
            if output != STDOUT:
                body["output_format"] = modality.formats[output.suffix.lower()]
            elif modality.streams:
                body["stream"] = True
        if preview is not None:
            check_folder(preview)
        accepted = client.submit(modality.name, **_upload(client, body, modality.params.media))
        if no_wait:
            print_json(accepted) if as_json else click.echo(accepted.job_id)
            return
        is_played = modality.streams and output == STDOUT
        job = _ended(client, accepted.job_id, timeout, _play if is_played else _follow)
        files = save_outputs(client, job, None if is_played else output, preview)
        for warning in job.warnings:
            click.echo(f"note: {warning}", err=True)
        if as_json:
            print_json(job)
            return
        for file in files:
            click.echo(f"{file} ({_describe(job)})", err=output == STDOUT)

    run.__doc__ = f"{modality.summary}: {', '.join(dict.fromkeys(modality.formats.values()))}."
    command = click.command(modality.word)(json_option(with_client(run)))
    argument, *options = request_options(modality)
    command.params[:0] = [argument, *_own_options(modality), *options]
    return command


def _own_options(modality: ModalitySpec) -> list[click.Option]:
    """Return the options that are not fields of the request."""
    file = click.Path(path_type=Path, dir_okay=False)
    preview = click.Option(["--preview"], type=file, help="File for the preview of a sound or a mesh: a PNG.")
    segments = click.Option(["--list", "preview"], type=file, help="File for the list of the segments: JSON.")
    return [
        click.Option(["-o", "--output"], type=file, help="File to write; - is standard output."),
        *(() if LOOKED_AT & {*modality.formats.values()} else (preview,)),
        *((segments,) if modality.name == "segment" else ()),
        click.Option(["--timeout"], type=Duration(), help="Cancel the job after so long: 45s, 10m, 2h."),
        click.Option(
            ["--no-wait"], is_flag=True, help="Print the id of the job and end; `atelier jobs download` gets it."
        ),
        click.Option(
            ["--estimate"], is_flag=True, help="Print how long it would take and what it would cost; make nothing."
        ),
    ]


for _modality in MODALITIES:
    generate.add_command(generate_command(_modality))


def _check_choices(
    output: Path | None, preview: Path | None, timeout: float | None, *, no_wait: bool, as_json: bool
) -> None:
    """Raise `UsageError` for options that do not go together."""
    if no_wait and (preview is not None or timeout is not None):
        raise click.UsageError("--no-wait ends before the job does; leave out --timeout and --preview")
    if no_wait:
        return
    if output is None:
        raise click.UsageError("Missing option '-o': name the file to write, or - for standard output.")
    if output == STDOUT and as_json:
        raise click.UsageError("standard output takes the file or, with --json, the answer; name a file")


def _upload(client: Client, body: dict[str, Any], media: Mapping[str, str]) -> dict[str, Any]:
    """Return the body with the local files of its media uploaded."""
    sent = dict(body)
    for name in media.keys() & body.keys():
        value = body[name]
        upload = partial(_source, client, name)
        sent[name] = upload(value) if isinstance(value, str) else [*map(upload, value)]
    return _with_loras(sent, partial(_source, client, LORAS))


def _source(client: Client, field: str, text: str) -> str:
    """Return the value of a media field. Raises `ApiError`, of a voice with where those are that have an id."""
    try:
        return client.source(text)
    except ApiError as error:
        if field != VOICE or error.code:
            raise
        raise ApiError(f"{error.message}; `atelier voices list` has the ids of voices") from None


def _with_paths(body: dict[str, Any], media: Mapping[str, str]) -> dict[str, Any]:
    """Return the body with the local files of its media as paths, which an estimate does not send."""

    def named(value: str) -> str | Path:
        return value if value.startswith(ALREADY_A_SOURCE) else Path(value)

    taken = {name: body[name] for name in media.keys() & body.keys()}
    paths = {name: named(value) if isinstance(value, str) else [*map(named, value)] for name, value in taken.items()}
    return _with_loras(body | paths, Path)


def _with_loras(body: dict[str, Any], read: Callable[[str], str | Path]) -> dict[str, Any]:
    """Return the body with each local file of its LoRAs as `read` has it; a name has no folder and no extension."""
    if LORAS not in body:
        return body
    choices = [{**each, "lora": read(each["lora"])} if _is_file(each["lora"]) else each for each in body[LORAS]]
    return body | {LORAS: choices}


def _is_file(lora: str) -> bool:
    is_path = os.sep in lora or lora.lower().endswith(".safetensors")
    return is_path and not lora.startswith(ALREADY_A_SOURCE)


def _follow(client: Client, job_id: str) -> StatusAnswer:
    """Show a job's progress until it has ended, and return it."""
    with job_bars(status_console()) as bar:
        return watch(client, job_id, bar, bar.add_task(job_id, total=1.0, doing="submitted"))


def _play(client: Client, job_id: str) -> StatusAnswer:
    """Write a job's sound to standard output as it is made, and return the job."""
    for chunk in client.listen(job_id):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    return client.job(job_id)


def _ended(client: Client, job_id: str, limit: float | None, wait: Wait) -> StatusAnswer:
    """Return the job with its outputs once `wait` returns; cancel it on Ctrl-C and after the limit."""
    try:
        with time_limit(limit):
            job = wait(client, job_id)
    except KeyboardInterrupt:
        client.cancel(job_id)
        raise CommandInterrupted(f"{job_id} was cancelled") from None
    except TimeLimit:
        waited_for = client.job(job_id).waiting_for  # which a cancelled job does not say
        job = client.cancel(job_id)
        if job.status == "cancelled":  # and has not just ended
            reason = f". {in_commands(waited_for.message)}" if waited_for else ""
            raise TimedOut(f"{job_id} was not done in time and was cancelled{reason}") from None
    return succeeded(job)


def _describe(job: StatusAnswer) -> str:
    seed = [] if job.seed is None else [f"seed {job.seed}"]
    return ", ".join([job.model, *seed, f"{job.processing_time_seconds or 0:.1f} s"])
