"""What previews cost: the encoding of an output alone, and with `PreviewMaker` around it as in the encoder process.

Both are done in turn. The time is the processor's, of all threads: beside an engine that computes there may be no core
to hide it on. The picture of a mesh, which `encode` draws itself, counts as a preview. Nothing is stored.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import zoom  # type: ignore[import-untyped]

from benchmarks.report import Figure, Report
from jobs.params.base import Params
from jobs.params.image import ImageParams
from jobs.params.mesh import MeshParams
from jobs.params.video import VideoParams
from pipelines.image.encode import encode as encode_image
from pipelines.mesh.encode import encode as encode_mesh
from pipelines.mesh.files import write_mesh
from pipelines.mesh.render import SIDE, preview
from pipelines.mesh.surface import Mesh
from pipelines.previews.maker import PreviewMaker
from pipelines.runtime.protocol import Outputs, RawOutput
from pipelines.video.encode import encode as encode_video

TITLE = "What previews cost beside the encoding"
REPEATS = 7
SHARE = "<= 0.1"
MESH_MS = "<= 150"
"""Of the picture of a mesh with as many triangles as a job has unless it says otherwise, on one core."""
Encode = Callable[[RawOutput, Any, Path], Outputs]


def run(*, quick: bool = False) -> Report:
    """Measure each kind of output."""
    repeats = 1 if quick else REPEATS
    figures: list[Figure] = []
    for name, (raw, params, encode) in outputs().items():
        alone, all_of_it = measure(raw, params, encode, repeats)
        figures += [
            Figure(f"{name}: encoding", alone, "ms"),
            Figure(f"{name}: previews", all_of_it - alone, "ms"),
            Figure(f"{name}: previews for each encoding", (all_of_it - alone) / alone, "", SHARE),
        ]
    mesh = bumpy_ball(100_000)
    seconds = statistics.median(timed(lambda: preview(mesh, SIDE, closed=True)) for _ in range(repeats))
    figures.append(Figure("the picture of a mesh of 100,000 triangles", 1e3 * seconds, "ms", MESH_MS))
    return Report(name="previews", title=TITLE, figures=figures)


def outputs() -> Mapping[str, tuple[RawOutput, Params, Encode]]:
    """Return outputs of usual sizes, with what encodes them."""
    picture, mesh = painting(1024, 1024), bumpy_ball(100_000)
    film = RawOutput(arrays={"frames": planes(121, 512, 768)}, metadata={"fps": 24})
    shape = RawOutput(arrays={"vertices": mesh.vertices, "faces": mesh.faces}, metadata={"seed": 1})
    pictures = {
        f"picture 1024x1024, {kind}": (
            RawOutput(arrays={"0": picture}),
            ImageParams(prompt="p", output_format=kind),
            encode_image,
        )
        for kind in ("png", "webp", "jpeg")
    }
    return pictures | {
        "film 768x512, 121 frames, mp4": (film, VideoParams(prompt="p"), encode_video),
        "mesh of 100,000 triangles, glb": (shape, MeshParams(image_path="p"), encode_mesh),
    }


def measure(raw: RawOutput, params: Params, encode: Encode, repeats: int) -> tuple[float, float]:
    """Return the milliseconds of processor time of the encoding alone, and with previews: medians of turns."""

    def alone(folder: Path) -> None:
        if encode is encode_mesh:
            write_mesh(Mesh(raw.arrays["vertices"], raw.arrays["faces"]), folder / "0.glb")
        else:
            encode(raw, params, folder)

    def with_previews(folder: Path) -> None:
        with PreviewMaker(folder) as maker:
            maker.begin(raw, params.output_format)
            maker.finish(encode(raw, params, folder))

    times: dict[Callable[[Path], None], list[float]] = {alone: [], with_previews: []}
    for _ in range(repeats):
        for work, seconds in times.items():
            with tempfile.TemporaryDirectory(prefix="atelier-bench-") as folder:
                seconds.append(1e3 * timed(work, Path(folder)))
    return statistics.median(times[alone]), statistics.median(times[with_previews])


def timed(work: Callable[..., object], *arguments: Any) -> float:
    """Return the seconds of processor time that `work` takes, of all threads."""
    began = time.process_time()
    work(*arguments)
    return time.process_time() - began


def painting(height: int, width: int) -> np.ndarray:
    """Return a picture with large forms and some grain: uint8, height x width x 3."""
    generator = np.random.default_rng(7)
    forms = zoom(generator.random((9, 9, 3)), (height / 9, width / 9, 1), order=3)
    grain = generator.normal(0, 4, (height, width, 1))
    return np.clip(255 * forms + grain, 0, 255).astype(np.uint8)


def planes(count: int, height: int, width: int) -> np.ndarray:
    """Return frames in which a painting moves, as `pipelines/video/color.py` describes them."""
    wide = painting(height, width + 2 * count)[..., 0]
    frames = np.full((count, height * 3 // 2, width), 128, np.uint8)
    for number in range(count):
        frames[number, :height] = wide[:, 2 * number : 2 * number + width]
    return frames


def bumpy_ball(triangles: int) -> Mesh:
    """Return a closed mesh of about so many triangles."""
    rings = round((triangles / 4) ** 0.5)
    down, around = np.meshgrid(np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False))
    radius = 1 + 0.05 * np.sin(9 * down) * np.sin(7 * around)
    parts = (np.sin(down) * np.cos(around), np.cos(down), np.sin(down) * np.sin(around))
    vertices = (radius[..., None] * np.stack(parts, axis=-1)).reshape(-1, 3).astype(np.float32)
    row, column = np.meshgrid(np.arange(2 * rings), np.arange(rings), indexing="ij")
    here, there = row * (rings + 1) + column, (row + 1) % (2 * rings) * (rings + 1) + column
    squares = np.stack([here, there, here + 1, there, there + 1, here + 1], axis=-1)
    return Mesh(vertices, squares.reshape(-1, 3).astype(np.int32))
