"""What an engine process calls: its environment, its device, and a model from verified weights."""

import os
import sys
from pathlib import Path

from jobs.errors import AtelierError, ModelLoadFailed
from pipelines.families import pipeline_class
from pipelines.lockfile import Lock
from pipelines.pipeline import Pipeline
from pipelines.spec import ModelSpec
from pipelines.weights import verify

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""An engine reads local files only, and asks nobody."""

_GPU_NODES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Device files of NVIDIA, of NVIDIA under WSL, and of AMD."""


def prepare_process(cpu_threads: int = 0) -> None:
    """Set the environment of this process, before torch is imported: offline, and `cpu_threads` threads (0:
    all).

    Does not import torch. Where torch is imported already, its thread count is set directly.
    """
    os.environ.update(OFFLINE)
    if cpu_threads > 0:
        os.environ.update({"OMP_NUM_THREADS": str(cpu_threads), "MKL_NUM_THREADS": str(cpu_threads)})
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(cpu_threads)


def choose_device(wanted: str = "") -> str:
    """`wanted`, or "cuda:0" where torch finds a GPU, else "cpu". Imports torch only where a GPU can be."""
    if wanted:
        return wanted
    if not any(Path(node).exists() for node in _GPU_NODES):
        return "cpu"
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def load(spec: ModelSpec, weights_dir: Path, lock: Lock, device: str) -> Pipeline:
    """The model of `spec`, on `device`, from weights that `lock` vouches for.

    Raises `WeightsNotLocked` before anything is parsed, and `ModelLoadFailed` for everything that goes wrong
    in construction, except out of memory, which the engine may mend by unloading another model.
    """
    directory = spec.directory(weights_dir)
    if spec.source.needs_weights:
        verify(spec, lock, directory)
    class_ = pipeline_class(spec)
    try:
        return class_(spec, directory, device)
    except (AtelierError, MemoryError):
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise ModelLoadFailed(f"{spec.id} could not be loaded: {type(error).__name__}: {error}") from error
