"""`atelier demo`: one job of every modality through a temporary service."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
from rich.progress import Progress, TaskID

from atelier_client.models import StatusAnswer
from cli.commands.host.up import EndingSignal
from cli.embedded.server import ServerFailed
from cli.http.client import Client
from cli.http.problems import in_commands
from cli.http.progress import job_bars, watch
from cli.local.address import free_address
from cli.local.data_dir import DataDirectory
from cli.local.start_wait import StartInterrupted
from cli.output.status import StatusPrinter, status_console
from cli.output.tables import print_table
from cli.stack.stack import Stack

PROMPTS = (
    "a red circle on a blue background",
    "a small yellow star in the top left on a purple background",
    "a green ring to the left of an orange square on white",
)
PHOTO = Path(__file__).parents[3] / "docs" / "images" / "product.jpg"
VIDEO_PROMPT = "slow zoom in, drifting to the left"
TEXT = "A mug, thrown by hand, glazed in teal, and fired twice."
CAPTIONS = {
    "template": "caption",
    "variables": {"subject": "a mug that is thrown by hand", "count": "two"},
    "max_tokens": 100,
    "seed": 1,
    "output_format": "md",
}
SOUND_PROMPT = "rain and distant thunder"
MUSIC_PROMPT = "a happy tune"
CUTOUT = "product-cutout.png"


class DemoJob(msgspec.Struct, frozen=True):
    """One job of the demo: its title, its modality and the fields of its submit, and the name of its file."""

    title: str
    modality: str
    body: dict[str, Any]
    file: str


@click.command()
@click.option(
    "-o", "--out", default="out", show_default=True, type=click.Path(path_type=Path, file_okay=False), help="Folder."
)
def demo(out: Path) -> None:
    """Start everything in a temporary folder, make every modality, stop everything.

    Where torch cannot use the GPU, the demo computes on the CPU and prints why.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="atelier-demo-") as folder, StatusPrinter() as printer:
        directory = DataDirectory(Path(folder) / "data")
        stack = Stack(directory, free_address(), printer.print_status, falls_back=True)
        EndingSignal(stack.ending, stack.hurry, interrupt=True)
        try:
            with stack:
                stack.start()
                if not stack.await_ready():
                    raise click.ClickException("the service did not start; see the messages above")
                with stack.client() as client:
                    rows = _run_all(client, out)
        except StartInterrupted:
            raise KeyboardInterrupt from None
        except (ServerFailed, ValueError) as error:
            raise click.ClickException(str(error)) from None
    print_table(["job", "in queue", "computing", "file"], rows)


def first_jobs(photo: str) -> list[DemoJob]:
    """Return images, a cut-out and a video of the product photo (`photo` is its id), speech, text, a sound, music."""
    video = {"input_image": photo, "prompt": VIDEO_PROMPT, "width": 640, "height": 480, "duration_seconds": 2.0}
    return [
        *(DemoJob(prompt, "image", {"prompt": prompt}, file_of(prompt)) for prompt in PROMPTS),
        DemoJob("photo -> cut-out", "remove-background", {"input_image": photo}, CUTOUT),
        DemoJob("photo -> video", "video", video, "product.mp4"),
        DemoJob("text -> speech", "speech", {"text": TEXT}, "product.wav"),
        DemoJob("template -> text", "text", CAPTIONS, "captions.md"),
        DemoJob("words -> sound", "sound", {"prompt": SOUND_PROMPT}, "rain-and-thunder.wav"),
        DemoJob("words -> music", "music", {"prompt": MUSIC_PROMPT, "duration_seconds": 15}, "happy-tune.wav"),
    ]


def last_jobs(cutout: str, circle: str) -> list[DemoJob]:
    """Return a mesh of the uploaded cut-out, textured with it, and of the uploaded image an SVG and a larger image."""
    return [
        DemoJob("cut-out -> 3D", "3d", {"input_image": cutout, "mode": "paint"}, "product.glb"),
        DemoJob("image -> SVG", "vectorize", {"input_image": circle, "colors": 2}, "a-red-circle.svg"),
        DemoJob("image -> larger", "upscale", {"input_image": circle, "scale": 2}, "a-red-circle-512.webp"),
    ]


def file_of(prompt: str) -> str:
    """Return the name of an image's file."""
    return f"{prompt.replace(' ', '-')}.webp"


def _run_all(client: Client, out: Path) -> list[list[str]]:
    """Run all jobs, the last ones after what they are made of; return the rows of the table.

    Without its weights, which `make setup` unpacks, a model is not served, and its modality is left out.
    """
    with job_bars(status_console(sys.stdout)) as bar:
        served = {model.modality for model in client.models() if model.available}
        jobs = first_jobs(client.source(str(PHOTO)))
        rows = _run(client, [job for job in jobs if job.modality in served], out, bar)
        sources = (client.source(str(out / file)) for file in (CUTOUT, file_of(PROMPTS[0])))
        return rows + _run(client, last_jobs(*sources), out, bar)


def _run(client: Client, jobs: list[DemoJob], out: Path, bar: Progress) -> list[list[str]]:
    """Submit jobs, follow one after the other, download their outputs; return the rows of the table."""
    job_ids = [client.submit(job.modality, **job.body).job_id for job in jobs]
    shown = [bar.add_task(job.title, total=1.0, doing="submitted") for job in jobs]
    ended = [_follow(client, *one, bar) for one in zip(jobs, job_ids, shown, strict=True)]
    return [_download(client, job, answer, out) for job, answer in zip(jobs, ended, strict=True)]


def _follow(client: Client, job: DemoJob, job_id: str, line: TaskID, bar: Progress) -> StatusAnswer:
    """Show a job's progress until it has ended, off a terminal by a line at its end; return the ended job."""
    ended = watch(client, job_id, bar, line)
    if not bar.console.is_terminal:
        bar.console.print(f"{job.title}: {ended.status}", markup=False, highlight=False, soft_wrap=True)
    return ended


def _download(client: Client, job: DemoJob, answer: StatusAnswer, out: Path) -> list[str]:
    if answer.result_url is None or answer.started_at is None:
        reason = in_commands(answer.error.message) if answer.error else answer.status
        raise click.ClickException(f"{job.title!r} has no output: {reason}")
    target = out / job.file
    client.download(answer.result_url, target)
    waited = (answer.started_at - answer.created_at).total_seconds()
    return [job.title, f"{waited:.2f} s", f"{answer.processing_time_seconds:.2f} s", str(target)]
