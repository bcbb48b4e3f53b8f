"""The one protocol between the engine and a model family, and what passes through it.

A pipeline sees parameters, clean input files and a `RunContext`; no SQL, no storage, no broker, no URL. `run`
happens in the engine and returns arrays; `encode` happens in the encoder process and turns them into files.
The arrays travel as a folder (`save_raw`, `load_raw`). Nothing here imports torch.
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

from pipelines.catalog.spec import ModelSpec, Stage

MetadataValue = str | int | float | bool | None

_ARRAY_NAME = re.compile(r"[a-z0-9_]{1,64}")
_MANIFEST = "raw.json"


class Interrupted(Exception):
    """Raised by `RunContext.progress` inside `run`; the pipeline must stay usable after it."""


class JobCancelled(Interrupted):
    """The caller cancelled the job."""


class JobPreempted(Interrupted):
    """The worker takes the job off the device; it will run again elsewhere."""


def _in_memory(name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.empty(shape, np.uint8)


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """The only way back from a running pipeline.

    `progress(fraction, stage)`: how much is done (0 to 1) and what is done *next*; it starts that stage's
    deadline anew and raises `JobCancelled` or `JobPreempted`. `warn(text)` shows a sentence to the caller
    while the job still runs; the same sentence belongs into `RawOutput.warnings`. `empty(name, shape)` is room for
    the uint8 array of that name in `RawOutput.arrays`, to be filled: in an engine it is the very file that the encoder
    reads, so that what is large need not be copied there while the device waits.
    """

    seed: int
    progress: Callable[[float, Stage], None]
    warn: Callable[[str], None]
    empty: Callable[[str, tuple[int, ...]], NDArray[np.uint8]] = _in_memory


class Inputs(msgspec.Struct, frozen=True):
    """Clean local copies of the job's input media, by the name of the parameter that asked for them."""

    files: dict[str, Path] = {}


class RawOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What `run` made: arrays, nothing encoded.

    A picture is uint8, height x width x 3 (RGB) or 4 (RGBA), named "0", "1", ... in order; a film is `frames`, as
    `pipelines/video/color.py` has them. `metadata` are what the status shows beside the outputs, at least the `seed`
    that was used.
    """

    arrays: dict[str, NDArray[Any]]
    warnings: tuple[str, ...] = ()
    metadata: dict[str, MetadataValue] = {}


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One finished file: `path` within the folder it was encoded into, sides in pixels, `duration` in seconds, and the
    `name` that the caller chose for it.
    """

    path: str
    media_type: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    name: str | None = None


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one job, in order, and what the encoder had to say about them."""

    files: tuple[Output, ...]
    warnings: tuple[str, ...] = ()


class Pipeline(Protocol):
    """One loaded model. `params` is the struct of the model's modality, e.g. `ImageParams`.

    A pipeline whose weights can be moved between the device and host memory also has `modules`: the torch modules that
    hold them, each once. What it keeps elsewhere on the device stays there, and is small. Its constructor takes one
    argument more, the `Intake` of `pipelines.memory` through which it reads its files, or makes one for itself. One
    whose first run is slow also has `warm_up(ctx)`: a run of few steps at the default size, whose result nobody sees.
    """

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        """Load from `weights` (already verified) onto `device` ("cpu", "cuda:0"); torch is imported no
        earlier.
        """

    def run(self, params: Any, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make it. Raises what `ctx.progress` raises, or any error of its own."""


Encode = Callable[[RawOutput, Any, Path], Outputs]
"""`encode(raw, params, folder)`: write the files of one job into `folder`; raises
`core.errors.EncodeFailed`."""


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    arrays: tuple[str, ...]
    warnings: tuple[str, ...]
    metadata: dict[str, MetadataValue]


def empty_array(folder: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Room for an array of the `RawOutput` that `save_raw` will write into `folder`, in the file where it will be.
    Raises `OSError` where there is no room: nothing is promised that could not be kept while it is filled.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = _new_array_file(folder, name)
    array = np.lib.format.open_memmap(str(file), "w+", np.uint8, shape)
    with file.open("r+b") as opened:
        os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return array


def save_raw(raw: RawOutput, folder: Path) -> None:
    """Write `raw` into `folder` (made if need be): one `.npy` per array, then `raw.json`, whose presence says
    that all arrays are whole. An array of `empty_array` is there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in raw.arrays.items():
        if not _is_there(array, folder, name):
            np.save(_new_array_file(folder, name), array, allow_pickle=False)
    manifest = _Manifest(arrays=tuple(raw.arrays), warnings=raw.warnings, metadata=raw.metadata)
    (folder / _MANIFEST).write_bytes(msgspec.json.encode(manifest))


def load_raw(folder: Path) -> RawOutput:
    """What `save_raw` wrote; the arrays are read-only maps of their files. Raises `OSError` or
    `ValueError`.
    """
    manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=_Manifest)
    arrays = {name: np.load(_array_file(folder, name), mmap_mode="r", allow_pickle=False) for name in manifest.arrays}
    return RawOutput(arrays=arrays, warnings=manifest.warnings, metadata=manifest.metadata)


def _is_there(array: NDArray[Any], folder: Path, name: str) -> bool:
    """Whether it is the whole of its own file, rather than a part or a view of it."""
    owner: object = array.base
    file = os.path.abspath(_array_file(folder, name))
    return isinstance(array, np.memmap) and isinstance(owner, mmap) and array.filename == file


def _new_array_file(folder: Path, name: str) -> Path:
    """One that was there is removed, not written over: somebody may be looking at a map of it."""
    file = _array_file(folder, name)
    file.unlink(missing_ok=True)
    return file


def _array_file(folder: Path, name: str) -> Path:
    if not _ARRAY_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no array name: use a-z, 0-9 and _")
    return folder / f"{name}.npy"
