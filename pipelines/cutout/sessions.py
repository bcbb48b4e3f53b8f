"""rembg's sessions by name, each on a verified ONNX file.

Only sessions that run on this machine from one file are opened. Refused by name are those that send the image away
(`is_local()` is false), need a key, load by rules of their own or forbid commercial use. A session is built from the
file, so rembg's downloader never runs.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from core.errors.failures import ModelLoadFailed
from pipelines.cutout.onnx_session import create_session

DEMO = "demo-cutout"
"""Name of the session of `demo_session`."""
OPACITY, CLOSE_LOOK = "semitransparency/opacity.onnx", "semitransparency/close_look.onnx"
"""Its second and third network, in the folder of the first one."""
REFUSED = {
    "bria-rmbg": "its license does not allow commercial use",
    "u2net_cloth_seg": "it finds three kinds of clothes, not the foreground",
}


class Session(Protocol):
    """The part of a rembg `BaseSession` that is used; `inner_session` is ONNX Runtime's."""

    inner_session: Any

    def predict(self, img: Image.Image, *, semitransparency: bool = False) -> list[Image.Image]:
        """Return mattes of `img`, grayscale (mode L), of its size.

        Sessions of rembg itself do the same with `semitransparency`: their mattes are soft anyway.
        """


def open_session(name: str, file: Path, device: str, expected_bytes: int = 0) -> Session:
    """Open the session `name` on the network in `file`, as `onnx_session.create_session` does.

    Raises `ModelLoadFailed` for an unknown or refused name.
    """
    class_ = session_class(name)
    session = class_.__new__(class_)
    session.model_name = name
    session.inner_session = create_session(file, device, expected_bytes)
    if name == DEMO:
        # On the CPU, where they take a second: opened later, they would be memory of a GPU that no account has
        session.open_network = lambda name: create_session(file.parent / name, "cpu")
    opened: Session = session
    return opened


def session_class(name: str) -> Any:
    """Return the class of a session by name. Raises `ModelLoadFailed` for an unknown or refused name."""
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
        raise ModelLoadFailed(f"The session {name!r} is refused: it sends images to another service.")
    if found.__init__ is not base.__init__:
        raise ModelLoadFailed(f"The session {name!r} is refused: it is not made from one ONNX file.")
    return found


@contextmanager
def _without_front_door() -> Iterator[None]:
    """Let rembg's sessions be imported without running `rembg/__init__.py`.

    That file imports PyMatting, which compiles itself with numba: 45 s at the first import on a machine, for functions
    that are not used here. The sessions alone take 0.5 s.
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
