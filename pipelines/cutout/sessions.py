"""rembg's sessions by name, each on a verified ONNX file of ours.

Only what runs on this machine from one file: sessions that send the picture away (`is_local()` says no), that need a
key, that load by rules of their own or that may not be used commercially are refused by name. A session is put
together from the file, so rembg's downloader is never reached.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any, Protocol

import onnxruntime  # type: ignore[import-untyped]
from PIL import Image

from core.errors import ModelLoadFailed

DEMO = "demo-cutout"
"""The one session that is ours (`demo_session`)."""
REFUSED = {
    "bria-rmbg": "its licence does not allow commercial use",
    "u2net_cloth_seg": "it finds three kinds of clothes, not the foreground",
}

log = logging.getLogger(__name__)


class Session(Protocol):
    """What a rembg `BaseSession` does."""

    def predict(self, img: Image.Image) -> list[Image.Image]:
        """Mattes of `img`, greyscale (mode L) and of its size."""


def open_session(name: str, file: Path, device: str) -> Session:
    """The session `name` on the network in `file`. Raises `ModelLoadFailed` for a name that is unknown or refused."""
    class_ = session_class(name)
    session = class_.__new__(class_)
    session.model_name = name
    session.inner_session = onnxruntime.InferenceSession(str(file), _options(), providers=_providers(device))
    if device != "cpu":
        log.info("background removal runs with %s", session.inner_session.get_providers()[0])
    opened: Session = session
    return opened


def session_class(name: str) -> Any:
    """The class of a session by name. Raises `ModelLoadFailed` for one that is unknown or refused."""
    with _without_front_door():
        if name == DEMO:
            return import_module("pipelines.cutout.demo_session").DemoSession
        known = import_module("rembg.sessions").sessions
        base = import_module("rembg.sessions.base").BaseSession
    found = known.get(name)
    if found is None:
        raise ModelLoadFailed(f"rembg has no session {name!r}.")
    if name in REFUSED:
        raise ModelLoadFailed(f"The session {name!r} is refused: {REFUSED[name]}.")
    if not found.is_local() or found.requires_credentials():
        raise ModelLoadFailed(f"The session {name!r} is refused: it sends pictures to somebody else.")
    if found.__init__ is not base.__init__:
        raise ModelLoadFailed(f"The session {name!r} is refused: it is not made from one ONNX file.")
    return found


@contextmanager
def _without_front_door() -> Iterator[None]:
    """`rembg/__init__.py` imports PyMatting, which compiles itself with numba: 45 s at the first import on a machine,
    for functions that are not used here. Its sessions are imported past it (0.5 s).
    """
    spec = None if "rembg" in sys.modules else find_spec("rembg")
    if spec is not None:
        sys.modules["rembg"] = module_from_spec(spec)
    try:
        yield
    except ImportError as error:
        raise ModelLoadFailed(f"Background removal needs rembg and onnxruntime: {error}") from error
    finally:
        if spec is not None:
            del sys.modules["rembg"]


def _options() -> onnxruntime.SessionOptions:
    """As many threads as `pipelines.runtime.device.prepare` has said; like `rembg.new_session`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    options.log_severity_level = 3
    return options


def _providers(device: str) -> list[Any]:
    """CUDA on "cuda:N" where onnxruntime has it, and always the CPU behind it."""
    if device.startswith("cuda"):
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            onnxruntime.preload_dlls()  # CUDA's own libraries, from torch's wheels
            number = int(device.partition(":")[2] or 0)
            return [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]
        log.warning("this onnxruntime has no CUDA provider: install onnxruntime-gpu; the CPU computes instead")
    return ["CPUExecutionProvider"]
