"""What an engine process calls: its environment, its device, and a model from verified weights."""

import ctypes
import os
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from core.errors import AtelierError, ModelLoadFailed
from pipelines.catalog.licenses import Allowed, refuse_license
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Pipeline
from pipelines.runtime.registry import pipeline_class
from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import verify

if TYPE_CHECKING:
    from pipelines.memory.weight_loader import WeightLoader

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""An engine reads local files only, and asks nobody."""

_LIBC = ctypes.CDLL(None)
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_GPU_NODES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Device files of NVIDIA, of NVIDIA under WSL, and of AMD."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Where this process computes: "cpu" or "cuda:0", its memory in bytes, and the libraries it computes with."""

    name: str
    memory_total: int
    versions: dict[str, str]


def prepare(wanted: str = "", cpu_threads: int = 0, compile_cache: str = "") -> Device:
    """Set this process up, before torch is imported: offline, `cpu_threads` threads (0: torch chooses), and compiled
    code in the folder `compile_cache` ("": torch's own, among temporary files).

    The device is `wanted`, or a GPU where there is one, else the CPU. Without a GPU torch is not imported.
    """
    os.environ.update(OFFLINE)
    if compile_cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = compile_cache
    if cpu_threads > 0:
        os.environ.update({"OMP_NUM_THREADS": str(cpu_threads), "MKL_NUM_THREADS": str(cpu_threads)})
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(cpu_threads)
    name = wanted or _find_device()
    return Device(name=name, memory_total=_memory_total(name), versions=_versions())


def memory_used(device: str) -> int:
    """Bytes in use: on a GPU by every process together, without what torch keeps for later; on the CPU by this one."""
    if device == "cpu":
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import torch

    free, total = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return total - free - kept


def free_caches() -> None:
    """Give cached memory back: the device's, where torch was ever imported, and what the C library keeps."""
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
        sys.modules["torch"].cuda.empty_cache()
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)


def computes_right(device: str) -> bool:
    """Whether a small multiplication on the device comes out right; always, where torch was never imported."""
    if "torch" not in sys.modules:
        return True
    torch = sys.modules["torch"]
    ones = torch.ones(256, 256, device=device)
    return bool((ones @ ones == 256).all())


def load(
    spec: ModelSpec,
    weights_dir: Path,
    lock: Lock,
    device: str,
    allowed: Allowed = frozenset(),
    intake: "WeightLoader | None" = None,
) -> Pipeline:
    """The model of `spec`, on `device`, from weights that `lock` vouches for, under a licence that is allowed.

    `intake`, for a pipeline with `modules`: what its weights are read through, where that is to be known afterwards.

    Raises `LicenceRefused` and `WeightsNotLocked` before anything is parsed, and `ModelLoadFailed` for everything
    that goes wrong in construction, except out of memory, which the engine may mend by unloading another model, and a
    broken device.
    """
    directory = spec.directory(weights_dir)
    refuse_license(spec, allowed)
    verify(spec, lock, weights_dir)
    make: Callable[..., Pipeline] = pipeline_class(spec)
    try:
        return make(spec, directory, device, *([] if intake is None else [intake]))
    except ModelLoadFailed as error:
        raise ModelLoadFailed(f"{spec.id}: {error.detail}") from error
    except Exception as error:
        if isinstance(error, AtelierError) or is_out_of_memory(error) or is_device_fault(error):
            raise
        # Its text can hold paths of this machine, and the job's owner sees ours: the text is for the log alone.
        raise ModelLoadFailed(f"{spec.id} could not be loaded ({type(error).__name__}).") from error


def _find_device() -> str:
    if not any(Path(node).exists() for node in _GPU_NODES):
        return "cpu"
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def _memory_total(device: str) -> int:
    if device == "cpu":
        return host_memory()
    import torch

    return torch.cuda.get_device_properties(device).total_memory


def host_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or its container's."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no such file, or "max"
        return machine


def _versions() -> dict[str, str]:
    installed = {name: _version(name) for name in ("torch", "diffusers", "transformers")}
    return {name: found for name, found in installed.items() if found}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
