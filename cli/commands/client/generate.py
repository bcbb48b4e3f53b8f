"""`atelier generate`: generate media and save it in a file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import rich_click as click
from rich.console import Console

from cli.http.client import Client
from cli.http.connection import with_client
from cli.http.progress import job_bars, watch
from jobs.wire.status import OutputAnswer

IMAGE_FORMATS = {".webp": "webp", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
VIDEO_FORMATS = {".mp4": "mp4", ".webm": "webm"}
CUTOUT_FORMATS = {".png": "png", ".webp": "webp"}
AUDIO_FORMATS = {".wav": "wav", ".mp3": "mp3", ".ogg": "ogg"}
MESH_FORMATS = {".glb": "glb", ".obj": "obj", ".stl": "stl", ".ply": "ply"}

F = TypeVar("F", bound=Callable[..., Any])

output_option = click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write."
)
PLACEMENT = (
    click.option("--model", help="A model of `atelier models`; default: the service chooses."),
    click.option("--server-id", help="Run on this server only."),
    click.option(
        "--prefer", "prefer_seconds", type=float, help="With --server-id: on any server after this many seconds."
    ),
)
DENOISING = (
    click.option("--width", type=int, help="Pixels."),
    click.option("--height", type=int, help="Pixels."),
    click.option("--steps", "num_inference_steps", type=int, help="Denoising steps."),
    click.option("--guidance", "guidance_scale", type=float, help="Adherence to the prompt."),
    click.option("--negative-prompt", help="What to avoid."),
    click.option("--quality", help="A preset of the model: fast, standard, pro, ultra."),
    click.option("--seed", type=int, help="The same seed makes the same output."),
)


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Combine options into one decorator, in the order of `--help`."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group()
def generate() -> None:
    """Generate media and save it in a file.

    The extension of the file selects the format. Images and recordings are local files, which are uploaded, or URLs.
    Ctrl-C cancels the job.
    """


@generate.command()
@click.argument("prompt")
@output_option
@click.option("--input", "input_image", help="File or URL of an image to start from.")
@click.option("--strength", type=float, help="Change of the input image, 0 to 1.")
@click.option(
    "--reference", "reference_images", multiple=True, help="File or URL of a reference image; may be repeated."
)
@click.option(
    "-n", "--num-images", type=int, help="Number of images; their files are numbered: star-1.webp, star-2.webp."
)
@_all(*DENOISING, *PLACEMENT)
@with_client
def image(client: Client, prompt: str, output: Path, reference_images: tuple[str, ...], **fields: Any) -> None:
    """Generate an image from PROMPT: webp, png or jpg."""
    format_ = _format(output, IMAGE_FORMATS)
    body = {"prompt": prompt, "output_format": format_, **_typed_fields(client, fields, media=("input_image",))}
    if reference_images:
        body["reference_images"] = [client.source(source) for source in reference_images]
    _generate(client, "/generate/image/v1", body, output)


@generate.command()
@click.argument("prompt", required=False)
@output_option
@click.option("--input", "input_image", help="File or URL of the first frame.")
@click.option("--last", "last_image", help="File or URL of the last frame, where the model supports it.")
@click.option("--duration", "duration_seconds", type=float, help="Seconds of video.")
@_all(*DENOISING, *PLACEMENT)
@with_client
def video(client: Client, output: Path, **fields: Any) -> None:
    """Generate a video from an image and PROMPT, or from PROMPT alone where the model supports it: mp4 or webm."""
    format_ = _format(output, VIDEO_FORMATS)
    typed = _typed_fields(client, fields, media=("input_image", "last_image"))
    _generate(client, "/generate/video/v1", {"output_format": format_, **typed}, output)


@generate.command()
@click.argument("picture")
@output_option
@click.option("--mask-only", is_flag=True, default=None, help="Write the matte instead of the cut-out.")
@click.option("--background", "background_color", help="Put the foreground on this color, e.g. #FFFFFF.")
@click.option("--crop", is_flag=True, default=None, help="Crop to the foreground.")
@_all(*PLACEMENT)
@with_client
def cutout(client: Client, picture: str, output: Path, **fields: Any) -> None:
    """Remove the background of PICTURE, a file or a URL: png or webp."""
    format_ = _format(output, CUTOUT_FORMATS)
    typed = _typed_fields(client, {"image_url": picture, **fields}, media=("image_url",))
    _generate(client, "/generate/remove-background/v1", {"output_format": format_, **typed}, output)


@generate.command()
@click.argument("text")
@output_option
@click.option("--language", "language_id", help="Language code, e.g. en, de, pt-BR.")
@click.option("--voice", "target_voice_path", help="Voice to clone: file, URL, or id of a stored voice.")
@click.option("--max-tokens", "max_new_tokens", type=int, help="Limit of the audio's length; a second has 25 tokens.")
@click.option("--exaggeration", type=float, help="0 neutral, 1 most expressive.")
@click.option("--seed", type=int, help="The same seed makes the same output.")
@_all(*PLACEMENT)
@with_client
def speech(client: Client, text: str, output: Path, **fields: Any) -> None:
    """Speak TEXT: wav, mp3 or ogg."""
    format_ = _format(output, AUDIO_FORMATS)
    typed = _typed_fields(client, fields, media=("target_voice_path",))
    _generate(client, "/generate/speech/v1", {"text": text, "output_format": format_, **typed}, output)


@generate.command()
@click.argument("picture")
@output_option
@click.option("--paint", "mode", flag_value="paint", help="Add a texture made from the image.")
@click.option("--max-faces", type=int, help="Limit of triangles.")
@click.option("--seed", type=int, help="The same seed makes the same output.")
@_all(*PLACEMENT)
@with_client
def mesh(client: Client, picture: str, output: Path, **fields: Any) -> None:
    """Generate a mesh from PICTURE, a file or a URL: glb, obj, stl or ply."""
    format_ = _format(output, MESH_FORMATS)
    typed = _typed_fields(client, {"image_path": picture, **fields}, media=("image_path",))
    _generate(client, "/generate/3d/v1", {"output_format": format_, **typed}, output)


def _format(output: Path, formats: dict[str, str]) -> str:
    """Return the format of a file's extension; raise `UsageError` for an unknown one, or without the file's folder."""
    if output.suffix.lower() not in formats:
        raise click.UsageError(f"{output.name}: use one of the extensions {', '.join(formats)}")
    if not output.absolute().parent.is_dir():
        raise click.UsageError(f"the folder {output.absolute().parent} does not exist; create it")
    return formats[output.suffix.lower()]


def _typed_fields(client: Client, fields: dict[str, Any], media: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields that were typed; upload the local files of those in `media`."""
    typed = {name: value for name, value in fields.items() if value is not None}
    if "prefer_seconds" in typed:
        typed["pin"] = "prefer"
    return typed | {name: client.source(typed[name]) for name in media if name in typed}


def _generate(client: Client, path: str, body: dict[str, Any], output: Path) -> None:
    """Submit a job, show its progress, and download its outputs; cancel it on Ctrl-C."""
    job_id = client.submit(path, body)
    try:
        with job_bars(Console(stderr=True)) as bar:
            job = watch(client, job_id, bar, bar.add_task(job_id, total=1.0, doing="submitted"))
    except KeyboardInterrupt:
        client.cancel(job_id)
        raise click.ClickException(f"{job_id} was cancelled") from None
    if job.error is not None:
        raise click.ClickException(f"{job_id} failed: {job.error.message} [{job.error.code}]")
    if not job.outputs:
        raise click.ClickException(f"{job_id} was {job.status}")
    for warning in job.warnings:
        click.echo(f"note: {warning}", err=True)
    for answer, file in zip(job.outputs, _files(job.outputs, output), strict=True):
        client.download(answer.url, file)
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
