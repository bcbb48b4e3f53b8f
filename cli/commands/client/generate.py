"""`atelier generate`: make something and keep it in a file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import rich_click as click

from cli.http.connection import with_client

if TYPE_CHECKING:
    from cli.http.client import Client
    from jobs.wire.status import OutputAnswer

PICTURES = {".webp": "webp", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
FILMS = {".mp4": "mp4", ".webm": "webm"}
CUTOUTS = {".png": "png", ".webp": "webp"}
SOUNDS = {".wav": "wav", ".mp3": "mp3", ".ogg": "ogg"}
MESHES = {".glb": "glb", ".obj": "obj", ".stl": "stl", ".ply": "ply"}

F = TypeVar("F", bound=Callable[..., Any])

output_option = click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write."
)
PLACEMENT = (
    click.option("--model", help="A model of `atelier models`; default: the service's choice."),
    click.option("--server-id", help="Run on this server only."),
    click.option("--prefer", "prefer_seconds", type=float, help="With --server-id: elsewhere after so many seconds."),
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
    """Several options as one decorator, in the order in which `--help` shows them."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group()
def generate() -> None:
    """Make something and save it.

    The file's ending chooses the format. A picture that a command takes is a local file, which is uploaded, or a URL.
    Ctrl-C cancels the job.
    """


@generate.command()
@click.argument("prompt")
@output_option
@click.option("--input", "input_image", help="File or URL of a picture to start from.")
@click.option("--strength", type=float, help="How much of it may change, 0 to 1.")
@click.option("--reference", "reference_images", multiple=True, help="File or URL to look at; may be repeated.")
@click.option("-n", "--num-images", type=int, help="Pictures to make; they are numbered: star-1.webp, star-2.webp.")
@_all(*DENOISING, *PLACEMENT)
@with_client
def image(client: "Client", prompt: str, output: Path, reference_images: tuple[str, ...], **fields: Any) -> None:
    """Make a picture from PROMPT: webp, png or jpg."""
    format_ = _format(output, PICTURES)
    given = _given(client, fields, media=("input_image",))
    if reference_images:
        given["reference_images"] = [client.source(source) for source in reference_images]
    _make(client, "/generate/image/v1", {"prompt": prompt, "output_format": format_, **given}, output)


@generate.command()
@click.argument("prompt", required=False)
@output_option
@click.option("--input", "input_image", help="File or URL of the first frame.")
@click.option("--last", "last_image", help="File or URL of the last frame, for a model that can end there.")
@click.option("--duration", "duration_seconds", type=float, help="Seconds of film.")
@_all(*DENOISING, *PLACEMENT)
@with_client
def video(client: "Client", output: Path, **fields: Any) -> None:
    """Make a film of a picture that moves as PROMPT says, or of PROMPT alone where the model can: mp4 or webm."""
    format_ = _format(output, FILMS)
    given = _given(client, fields, media=("input_image", "last_image"))
    _make(client, "/generate/video/v1", {"output_format": format_, **given}, output)


@generate.command()
@click.argument("picture")
@output_option
@click.option("--mask-only", is_flag=True, default=None, help="Write the matte itself.")
@click.option("--background", "background_color", help="Put the foreground on this color, e.g. #FFFFFF.")
@click.option("--crop", is_flag=True, default=None, help="Crop to the foreground.")
@_all(*PLACEMENT)
@with_client
def cutout(client: "Client", picture: str, output: Path, **fields: Any) -> None:
    """Remove the background of PICTURE, a file or a URL: png or webp."""
    format_ = _format(output, CUTOUTS)
    given = _given(client, {"image_url": picture, **fields}, media=("image_url",))
    _make(client, "/generate/remove-background/v1", {"output_format": format_, **given}, output)


@generate.command()
@click.argument("text")
@output_option
@click.option("--language", "language_id", help="Language code, e.g. en, de, pt-BR.")
@click.option("--voice", "target_voice_path", help="A voice to sound like: file, URL, or id of one that you keep.")
@click.option("--max-tokens", "max_new_tokens", type=int, help="Upper bound of the audio: 25 tokens are a second.")
@click.option("--exaggeration", type=float, help="0 neutral, 1 most expressive.")
@click.option("--seed", type=int, help="The same seed makes the same output.")
@_all(*PLACEMENT)
@with_client
def speech(client: "Client", text: str, output: Path, **fields: Any) -> None:
    """Speak TEXT: wav, mp3 or ogg."""
    format_ = _format(output, SOUNDS)
    given = _given(client, fields, media=("target_voice_path",))
    _make(client, "/generate/speech/v1", {"text": text, "output_format": format_, **given}, output)


@generate.command()
@click.argument("picture")
@output_option
@click.option("--paint", "mode", flag_value="paint", help="With the picture as its texture.")
@click.option("--max-faces", type=int, help="Triangles, at most.")
@click.option("--seed", type=int, help="The same seed makes the same output.")
@_all(*PLACEMENT)
@with_client
def mesh(client: "Client", picture: str, output: Path, **fields: Any) -> None:
    """Make a mesh from PICTURE, a file or a URL: glb, obj, stl or ply."""
    format_ = _format(output, MESHES)
    given = _given(client, {"image_path": picture, **fields}, media=("image_path",))
    _make(client, "/generate/3d/v1", {"output_format": format_, **given}, output)


def _format(output: Path, formats: dict[str, str]) -> str:
    """The format that the file's ending stands for; a usage error where there is none, or no folder for it."""
    if output.suffix.lower() not in formats:
        raise click.UsageError(f"{output.name}: end the file's name in {', '.join(formats)}")
    if not output.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {output.absolute().parent}")
    return formats[output.suffix.lower()]


def _given(client: "Client", fields: dict[str, Any], media: tuple[str, ...]) -> dict[str, Any]:
    """What was typed; of the fields in `media`, local files are uploaded."""
    given = {name: value for name, value in fields.items() if value is not None}
    if "prefer_seconds" in given:
        given["pin"] = "prefer"
    return given | {name: client.source(given[name]) for name in media if name in given}


def _make(client: "Client", path: str, body: dict[str, Any], output: Path) -> None:
    from rich.console import Console

    from cli.http.progress import bars, watch

    job_id = client.submit(path, body)
    try:
        with bars(Console(stderr=True)) as bar:
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
    for made, file in zip(job.outputs, _files(job.outputs, output), strict=True):
        client.download(made.url, file)
        click.echo(f"{file} ({_about(job.model, job.seed, job.processing_time_seconds)})")


def _files(outputs: "Sequence[OutputAnswer]", output: Path) -> list[Path]:
    """Where each output goes: several of one kind are numbered, and so is what comes beside the first."""
    several = sum(made.media_type == outputs[0].media_type for made in outputs) > 1
    return [
        output
        if number == 1 and not several
        else output.with_name(f"{output.stem}-{number}{Path(urlsplit(made.url).path).suffix}")
        for number, made in enumerate(outputs, 1)
    ]


def _about(model: str, seed: int | None, seconds: float | None) -> str:
    return ", ".join([model, *([] if seed is None else [f"seed {seed}"]), f"{seconds or 0:.1f} s"])
