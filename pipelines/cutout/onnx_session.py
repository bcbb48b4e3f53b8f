"""ONNX Runtime's session for one network: on the GPU where its CUDA provider works, else on the CPU.

ONNX Runtime takes the CPU without an error where its provider's libraries do not load; `cpu_fallback` says so.
"""

import os
from pathlib import Path
from typing import Any

import onnxruntime  # type: ignore[import-untyped]

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
MEMORY_FACTOR = 2
"""A network may take so many times what the catalog says that it takes: its arena keeps all that it ever took."""


def create_session(file: Path, device: str, expected_bytes: int = 0) -> onnxruntime.InferenceSession:
    """Return a session on the network in `file`, on `device` ("cpu", "cuda:N").

    On a GPU it takes at most `MEMORY_FACTOR` times `expected_bytes`, or what it likes for 0. It never goes over to the
    CPU in the middle of its work: what fails there raises ONNX Runtime's own error, as everywhere in the engine.
    """
    session = onnxruntime.InferenceSession(
        str(file), _options(), providers=_providers(device, expected_bytes), enable_fallback=0
    )
    session.disable_fallback()
    return session


def cpu_fallback(session: onnxruntime.InferenceSession, device: str) -> str:
    """Return why a session for a GPU computes on the CPU, for the operator; empty where it does as it should."""
    if not device.startswith("cuda") or CUDA in session.get_providers():
        return ""
    if CUDA not in onnxruntime.get_available_providers():
        return "computes on the CPU: this onnxruntime has no CUDA provider; install onnxruntime-gpu in its place"
    return (
        "computes on the CPU: ONNX Runtime could not load its CUDA provider; "
        "the engine's log has its reason, and onnxruntime-gpu has to be built for torch's version of CUDA"
    )


def _options() -> onnxruntime.SessionOptions:
    """Return options with as many threads as `pipelines.runtime.device.prepare` set, like `rembg.new_session`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    options.log_severity_level = 3
    return options


def _providers(device: str, expected_bytes: int) -> list[Any]:
    """Return CUDA on "cuda:N" where onnxruntime has it, and always the CPU after it.

    By default the arena doubles with each growth; it takes only what is asked for here.
    """
    if not device.startswith("cuda") or CUDA not in onnxruntime.get_available_providers():
        return [CPU]
    onnxruntime.preload_dlls()  # CUDA's own libraries, from torch's wheels
    options = {"device_id": int(device.partition(":")[2] or 0), "arena_extend_strategy": "kSameAsRequested"}
    if expected_bytes:
        options["gpu_mem_limit"] = MEMORY_FACTOR * expected_bytes
    return [(CUDA, options), CPU]
