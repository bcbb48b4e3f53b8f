"""The card, its driver and torch, as the results name them."""

import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.report import machine

PROBE_SECONDS = 120.0
_QUERY = ["--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]


def probe() -> tuple[str, str]:
    """Return the device to measure, "cuda:0" or "cpu", and a description of the machine.

    A process of its own asks, so that this one holds none of the card's memory.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_describe).result(PROBE_SECONDS)


def _describe() -> tuple[str, str]:
    import torch

    if not torch.cuda.is_available():
        return "cpu", f"{machine()}, torch {torch.__version__}"
    size = torch.cuda.get_device_properties(0).total_memory / 1e9
    libraries = f"torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    return "cuda:0", f"{machine()} with {size:.0f} GB, driver {driver()}, {libraries}"


def driver() -> str:
    """Return the version of NVIDIA's driver, or "unknown" without its tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "unknown"
    asked = subprocess.run([tool, *_QUERY], capture_output=True, text=True, timeout=30)
    return asked.stdout.strip() or "unknown"
