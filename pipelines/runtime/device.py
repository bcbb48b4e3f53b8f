"""Device and environment of an engine process, and models loaded from verified weights."""

import ctypes
import os
import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from core.errors.base import AtelierError
from core.errors.failures import ModelLoadFailed
from pipelines.catalog.licenses import Allowed, refuse_license
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.gpu_check import choose_device, multiplies
from pipelines.runtime.host_memory import host_memory
from pipelines.runtime.processors import bind_near, cores, cores_per_gpu
from pipelines.runtime.protocol import Pipeline
from pipelines.runtime.registry import pipeline_class
from pipelines.runtime.torch_errors import is_device_fault, is_out_of_memory
from pipelines.weights.hash_cache import HashCache
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import verifying

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
"""Environment of an engine: it reads local files only and sends no telemetry."""

ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""Variables that set torch's allocator; the second is the older name."""

LIBRARIES = ("atelier", "torch", "diffusers", "transformers", "onnxruntime")
"""Distributions whose version says how this process computes."""

_LIBC = ctypes.CDLL(None)


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Where this process computes: "cpu" or "cuda:0", its memory in bytes, and the versions of its libraries.

    `product` is the device as its maker calls it.
    """

    name: str
    product: str
    memory_total: int
    versions: dict[str, str]


def configure(wanted: str = "", compile_cache: str = "") -> None:
    """Set the environment of this process, before torch is imported; no device is touched.

    The process works offline and with compiled code in the folder `compile_cache` (empty: torch's own, among temporary
    files). The device will be `wanted`, see `prepare`.
    """
    os.environ.update(OFFLINE)
    if wanted != "cpu" and not any(name in os.environ for name in ALLOCATOR):
        # Activations of ever other sizes would leave the device's memory in pieces that none of them fits.
        os.environ[ALLOCATOR[0]] = "expandable_segments:True"
    if compile_cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = compile_cache


def prepare(wanted: str = "", cpu_threads: int = 0, compile_cache: str = "") -> Device:
    """Configure this process, before torch is imported unless `configure` was called, and return its device.

    The process has `cpu_threads` threads (0: torch chooses; -1: one on the CPU, beside a GPU its share of the machine's
    cores). The device is `wanted`, else a GPU where there is one, else the CPU. Without a GPU torch is not imported.
    Raises `DeviceUnusable`.
    """
    configure(wanted, compile_cache)
    name = choose_device(wanted)
    share = _share_of_cores(name)
    near = _bind_near(name)
    _set_threads(min(share, near) if cpu_threads < 0 else cpu_threads)
    return Device(name=name, product=_product(name), memory_total=_memory_total(name), versions=_versions())


def free_caches() -> None:
    """Return cached memory: torch's on the device, where torch was imported, and the C library's."""
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
        sys.modules["torch"].cuda.empty_cache()
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)


def computes_right(device: str) -> bool:
    """Return whether a small multiplication on the device is correct; true where torch was never imported."""
    if "torch" not in sys.modules:
        return True
    return multiplies(sys.modules["torch"], device)


def load(
    spec: ModelSpec,
    weights_dir: Path,
    lock: Lock,
    device: str,
    allowed: Allowed = frozenset(),
    loader: "WeightLoader | None" = None,
    hashes: HashCache | None = None,
) -> Pipeline:
    """Load the model of `spec` onto `device`, from weights that `lock` names, under an allowed license.

    A pipeline with `modules` reads its weights through `loader`, where the caller needs the loader afterwards.
    Safetensors that `hashes` does not know are hashed while they are read, and the pipeline is returned once both are
    done.

    Raises `LicenseRefused`, `WeightsNotLocked`, and `ModelLoadFailed` for every failure of the constructor but two: out
    of memory, which the engine may mend by unloading another model, and a broken device. Of wrong weights nothing is
    parsed but safetensors.
    """
    refuse_license(spec, allowed)
    with verifying(spec, lock, weights_dir, hashes):
        return construct(spec, weights_dir, device, loader)


def construct(spec: ModelSpec, weights_dir: Path, device: str, loader: "WeightLoader | None" = None) -> Pipeline:
    """Make the pipeline of weights that are verified or are being verified. Raises like `load`."""
    make: Callable[..., Pipeline] = pipeline_class(spec)
    try:
        return make(spec, spec.directory(weights_dir), device, *([] if loader is None else [loader]))
    except ModelLoadFailed as error:
        raise ModelLoadFailed(f"{spec.id}: {error.detail}") from error
    except Exception as error:
        if isinstance(error, AtelierError) or is_out_of_memory(error) or is_device_fault(error):
            raise
        # Its text can hold paths of this machine, and the job's owner sees ours: the text is for the log alone.
        raise ModelLoadFailed(f"{spec.id} could not be loaded ({type(error).__name__}).") from error


def _share_of_cores(device: str) -> int:
    """Return the cores for this process: one on the CPU, where two threads of torch's wait for each other."""
    if device == "cpu":
        return 1
    import torch

    return cores_per_gpu(torch.cuda.device_count())


def _bind_near(device: str) -> int:
    """Bind this process to the cores near its GPU, before it has memory to copy from; return how many it may use."""
    if device == "cpu":
        return cores()
    import torch

    place: Any = torch.cuda.get_device_properties(device)
    bind_near(place.pci_domain_id, place.pci_bus_id, place.pci_device_id)
    return cores()


def _set_threads(number: int) -> None:
    """Have torch, which may be imported already, and ONNX Runtime use so many threads; 0: as many as they choose."""
    if number > 0:
        os.environ.update({"OMP_NUM_THREADS": str(number), "MKL_NUM_THREADS": str(number)})
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(number)


def _product(device: str) -> str:
    """Return the GPU or the CPU as its maker calls it; of a CPU that does not say, its kind."""
    if device != "cpu":
        import torch

        return str(torch.cuda.get_device_properties(device).name)
    with suppress(OSError), Path("/proc/cpuinfo").open() as facts:
        for line in facts:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def _memory_total(device: str) -> int:
    if device == "cpu":
        return host_memory()
    import torch

    return torch.cuda.get_device_properties(device).total_memory


def _versions() -> dict[str, str]:
    installed = {name: _version(name) for name in LIBRARIES}
    return {name: found for name, found in installed.items() if found}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
