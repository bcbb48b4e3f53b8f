"""The protocol between the engine and a model family, and the values that pass through it.

A pipeline gets parameters, clean input files and a `RunContext`; it knows no SQL, storage, broker or URL. `run` happens
in the engine and returns arrays. `encode` happens in the encoder process and turns them into files. The arrays travel
as a folder (`save_raw`, `load_raw`). Nothing here imports torch.
"""

import os
import re
from collections.abc import Callable
from mmap import mmap
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from jobs.params.image import MAX_IMAGES
from pipelines.catalog.spec import ModelSpec, Stage

MetadataValue = str | int | float | bool | None

_ARRAY_NAME = re.compile(r"[a-z0-9_]{1,64}")
_MANIFEST = "raw.json"


class Interrupted(Exception):
    """Raised by `RunContext.progress` inside `run`; the pipeline must stay usable afterwards."""


class JobCancelled(Interrupted):
    """The caller cancelled the job."""


class JobPreempted(Interrupted):
    """The worker takes the job off the device; another attempt will run it."""


Draw = Callable[[], NDArray[np.uint8]]
"""Makes a picture, height x width x 3, when it is called."""


def _shows_nothing(step: int, of: int, draw: Draw) -> None:
    """Show no preview."""


def _shows_no_text(step: int, of: int, write: Callable[[], str]) -> None:
    """Show nothing."""


def _plays_nothing(samples: NDArray[np.float32], rate: int) -> None:
    """Stream no sound."""


def _in_memory(name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.empty(shape, np.uint8)


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """The channel from a running pipeline to the engine.

    - `progress(fraction, stage)`: how much is done (0 to 1) and which stage comes next. It restarts that stage's
      deadline and raises `JobCancelled` or `JobPreempted`.
    - `warn(text)`: shows a sentence to the caller while the job runs. The same sentence belongs in
      `RawOutput.warnings`.
    - `empty(name, shape)`: returns a uint8 array for the entry `name` of `RawOutput.arrays`. In an engine it is the
      file that the encoder reads, so that large arrays are not copied while the device waits.
    - `show_step(step, of, draw)`: after step `step` (from 1) of `of`, what a preview is drawn with if one is asked for;
      otherwise `draw` is not called.
    - `show_text(step, of, write)`: the same of a text, after token `step` of at most `of`; `write` returns what of it
      will stay.
    - `play(samples, rate)`: the next part of a recording that the job wants streamed: float32 in -1 to 1, one axis,
      `rate` of them a second. All parts together are the `samples` of `RawOutput`, whose `parts` are their lengths.
    - `batch`: the most images at once that there is memory for.
    - `rank` of `ranks`: this process and how many make the same run together, over torch.distributed; only rank 0
      returns arrays, and all call `progress` alike while they make steps.
    - `make_room()`: frees memory of the device, by sending another model away if one may leave, and returns whether one
      left. A pipeline that ran out of memory late calls it to repeat that part alone. Raises what `progress` raises.
    """

    seed: int
    progress: Callable[[float, Stage], None]
    warn: Callable[[str], None]
    empty: Callable[[str, tuple[int, ...]], NDArray[np.uint8]] = _in_memory
    make_room: Callable[[], bool] = lambda: False
    show_step: Callable[[int, int, Draw], None] = _shows_nothing
    show_text: Callable[[int, int, Callable[[], str]], None] = _shows_no_text
    play: Callable[[NDArray[np.float32], int], None] = _plays_nothing
    batch: int = MAX_IMAGES
    rank: int = 0
    ranks: int = 1


class Inputs(msgspec.Struct, frozen=True):
    """Clean local copies of the job's input media, by the name of the parameter."""

    files: dict[str, Path] = {}


class RawOutput(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `run`: arrays, not yet encoded.

    An image is uint8, height x width x 3 (RGB) or 4 (RGBA), named "0", "1", ... in order. A video is `frames`, as
    `pipelines/video/color.py` describes. The status shows `metadata` beside the outputs; it holds at least the `seed`.
    """

    arrays: dict[str, NDArray[Any]]
    warnings: tuple[str, ...] = ()
    metadata: dict[str, MetadataValue] = {}


class PreviewFile(msgspec.Struct, frozen=True, kw_only=True):
    """One small copy of an output, as a file; `jobs/previews.py` describes its names."""

    name: str
    path: str
    media_type: str
    width: int | None = None
    height: int | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One finished file.

    `path` is within the folder of the encoder. Sides are in pixels, `duration` in seconds; `name` is the caller's
    choice. `picture` is a picture in the same folder that shows what is not one itself. The encoder process adds the
    `previews`. `palette_distance` is how near the image is to its palette, and how near it was before its colors were
    moved.
    """

    path: str
    media_type: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    name: str | None = None
    picture: str | None = None
    previews: tuple[PreviewFile, ...] = ()
    palette_distance: float | None = None
    palette_distance_before: float | None = None


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one job, in order, and the encoder's warnings."""

    files: tuple[Output, ...]
    warnings: tuple[str, ...] = ()


class Pipeline(Protocol):
    """One loaded model. `params` is the struct of the model's modality, e.g. `ImageParams`.

    A pipeline whose weights can move between the device and host memory also has `modules`: the torch modules that hold
    them, each once. Other tensors stay on the device and are small. Its constructor takes one more argument, the
    `WeightLoader` of `pipelines.memory` through which it reads its files; without one it makes its own.

    A pipeline that may compute otherwise than it should, on another device or slower, has `warnings`: what the operator
    should know of it now, each a clause after the model's name ("computes on the CPU: ..."). A run may change them.

    A pipeline that keeps CUDA graphs from one run to the next has `graph_bytes`, what they take of the device, and
    `free_graphs()`: they hold addresses of its weights, so it is called before those move, and when memory is short.

    A pipeline whose entry may have `batch.jobs` above 1 also has `run_shared(jobs)`: one output for each pair of params
    and context, in their order, as `run` makes it of the job alone. The params differ in prompt and seed only and take
    no media. The contexts have `seed`, `warn` and `empty` of their own; `progress`, `make_room` and `batch` are those
    of the run, so it is enough to call one's.

    A pipeline whose first run is slow also has `warm_up(ctx)`: a run of few steps at the default size, whose result is
    discarded.
    """

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        """Load from the verified files in `weights` onto `device` ("cpu", "cuda:0"), importing torch only here."""

    def run(self, params: Any, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make the output. Raises what `ctx.progress` raises, or any error of its own."""


Encode = Callable[[RawOutput, Any, Path], Outputs]
"""`encode(raw, params, folder)` writes the files of one job into `folder` and raises `core.errors.EncodeFailed`."""


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    arrays: tuple[str, ...]
    warnings: tuple[str, ...]
    metadata: dict[str, MetadataValue]


def empty_array(folder: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an array in the file that `save_raw` will fill in `folder`.

    Raises `OSError` if the disk has no room for all of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = _new_array_file(folder, name)
    array = np.lib.format.open_memmap(str(file), "w+", np.uint8, shape)
    with file.open("r+b") as opened:
        os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return array


def save_raw(raw: RawOutput, folder: Path) -> None:
    """Write `raw` into `folder`, which is made if it is missing.

    Each array is one `.npy`, unless `empty_array` made it. `raw.json` comes last: its presence means that all arrays
    are complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in raw.arrays.items():
        if not _is_there(array, folder, name):
            np.save(_new_array_file(folder, name), array, allow_pickle=False)
    manifest = _Manifest(arrays=tuple(raw.arrays), warnings=raw.warnings, metadata=raw.metadata)
    (folder / _MANIFEST).write_bytes(msgspec.json.encode(manifest))


def load_raw(folder: Path) -> RawOutput:
    """Read what `save_raw` wrote. Raises `OSError` or `ValueError`.

    The arrays are read-only maps of their files.
    """
    manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=_Manifest)
    arrays = {name: np.load(_array_file(folder, name), mmap_mode="r", allow_pickle=False) for name in manifest.arrays}
    return RawOutput(arrays=arrays, warnings=manifest.warnings, metadata=manifest.metadata)


def _is_there(array: NDArray[Any], folder: Path, name: str) -> bool:
    """Return whether the array is the whole of its own file, rather than a part or a view of it."""
    owner: object = array.base
    file = os.path.abspath(_array_file(folder, name))
    return isinstance(array, np.memmap) and isinstance(owner, mmap) and array.filename == file


def _new_array_file(folder: Path, name: str) -> Path:
    """Return the path after removing a file that is there: another process may have mapped it."""
    file = _array_file(folder, name)
    file.unlink(missing_ok=True)
    return file


def _array_file(folder: Path, name: str) -> Path:
    if not _ARRAY_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not an array name; use a-z, 0-9 and _")
    return folder / f"{name}.npy"
