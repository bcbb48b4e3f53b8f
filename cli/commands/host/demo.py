"""`atelier demo`: every modality once through the whole service, and nothing left running."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import rich_click as click

if TYPE_CHECKING:
    from rich.progress import Progress

    from cli.http.client import Client
    from jobs.wire.status import StatusAnswer

PROMPTS = (
    "a red circle on a blue background",
    "a small yellow star in the top left on a purple background",
    "a green ring to the left of an orange square on white",
)
PHOTO = Path(__file__).parents[3] / "docs" / "images" / "product.jpg"
MOVE = "slow zoom in, drifting to the left"
WORDS = "A mug, thrown by hand, glazed in teal, and fired twice."
CUTOUT = "product-cutout.png"


class Task(msgspec.Struct, frozen=True):
    """One job of the demo: what it is called, where it is sent and with which body, and the file it becomes."""

    title: str
    path: str
    body: dict[str, Any]
    file: str


@click.command()
@click.option(
    "-o", "--out", default="out", show_default=True, type=click.Path(path_type=Path, file_okay=False), help="Folder."
)
def demo(out: Path) -> None:
    """Start everything in a temporary folder, make pictures, a cut-out, a mesh, a film and speech, stop everything."""
    from cli.commands.host.up import EndingSignal, say
    from cli.embedded.server import ServerFailed
    from cli.local.address import free_address
    from cli.local.data_dir import DataDirectory
    from cli.output.tables import print_table
    from cli.stack.stack import Stack

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="atelier-demo-") as folder:
        stack = Stack(DataDirectory(Path(folder) / "data"), free_address(), say)
        EndingSignal(stack.hurry, interrupt=True)
        try:
            with stack:
                stack.start()
                if not stack.await_ready():
                    raise click.ClickException("the service did not come up; what it said is above")
                with stack.client() as client:
                    rows = _make(client, out)
        except (ServerFailed, ValueError) as error:
            raise click.ClickException(str(error)) from None
    print_table(["what", "in queue", "computing", "file"], rows)


def tasks(photo: str) -> list[Task]:
    """Three pictures from words, a cut-out and a film of `photo`, the id of the uploaded product photo, and speech."""
    film = {"input_image": photo, "prompt": MOVE, "width": 640, "height": 480, "duration_seconds": 2.0}
    return [
        *(Task(words, "/generate/image/v1", {"prompt": words}, f"{words.replace(' ', '-')}.webp") for words in PROMPTS),
        Task("photo -> cut-out", "/generate/remove-background/v1", {"image_url": photo}, CUTOUT),
        Task("photo -> video", "/generate/video/v1", film, "product.mp4"),
        Task("text -> speech", "/generate/speech/v1", {"text": WORDS}, "product.wav"),
    ]


def mesh_task(cutout: str) -> Task:
    """A mesh of the cut-out, whose id this is, with the cut-out as its texture."""
    return Task("cut-out -> 3D", "/generate/3d/v1", {"image_path": cutout, "mode": "paint"}, "product.glb")


def _make(client: "Client", out: Path) -> list[list[str]]:
    """Hand in everything, follow one after the other, fetch what they made; the mesh comes after its cut-out."""
    from rich.console import Console

    from cli.http.progress import bars

    with bars(Console()) as bar:
        rows = _run(client, tasks(client.source(str(PHOTO))), out, bar)
        return rows + _run(client, [mesh_task(client.source(str(out / CUTOUT)))], out, bar)


def _run(client: "Client", todo: list[Task], out: Path, bar: "Progress") -> list[list[str]]:
    from cli.http.progress import watch

    job_ids = [client.submit(task.path, task.body) for task in todo]
    shown = [bar.add_task(task.title, total=1.0, doing="submitted") for task in todo]
    ended = [watch(client, job_id, bar, line) for job_id, line in zip(job_ids, shown, strict=True)]
    return [_fetch(client, task, job, out) for task, job in zip(todo, ended, strict=True)]


def _fetch(client: "Client", task: Task, job: "StatusAnswer", out: Path) -> list[str]:
    if job.result_url is None or job.started_at is None:
        reason = job.error.message if job.error else job.status
        raise click.ClickException(f"{task.title!r} was not made: {reason}")
    target = out / task.file
    client.download(job.result_url, target)
    waited = (job.started_at - job.created_at).total_seconds()
    return [task.title, f"{waited:.2f} s", f"{job.processing_time_seconds:.2f} s", str(target)]
