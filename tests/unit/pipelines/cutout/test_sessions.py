import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.errors.failures import ModelLoadFailed
from pipelines.cutout import sessions
from pipelines.cutout.sessions import DEMO, session_class
from tests.support.checkpoints import tiny_onnx

SERVED = tuple(tiny_onnx.LAYOUTS)


@pytest.mark.parametrize("name", SERVED)
def test_a_session_is_rembgs_own_class(name: str) -> None:
    assert name == session_class(name).name()
    assert session_class(name).__module__.startswith("rembg.sessions.")


def test_the_demo_session_is_a_rembg_session() -> None:
    assert "BaseSession" in [class_.__name__ for class_ in session_class(DEMO).__mro__]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("atlascloud", "sends images"),
        ("bria-rmbg", "commercial"),
        ("sam", "one ONNX file"),
        ("u2net_custom", "one ONNX file"),
        ("ben_custom", "one ONNX file"),
        ("u2net_cloth_seg", "clothes"),
        ("nonsense", "no session"),
        ("", "no session"),
    ],
)
def test_other_sessions_are_refused_by_name(name: str, reason: str) -> None:
    with pytest.raises(ModelLoadFailed, match=reason):
        session_class(name)


def test_every_session_that_is_not_local_is_refused() -> None:
    session_class("u2net")
    from rembg.sessions import sessions

    remote = [name for name, class_ in sessions.items() if not class_.is_local() or class_.requires_credentials()]
    assert remote
    for name in remote:
        with pytest.raises(ModelLoadFailed, match="refused"):
            session_class(name)


def test_neither_numba_nor_pymatting_is_imported() -> None:
    code = (
        "import sys; from pipelines.cutout.sessions import session_class; session_class('u2net'); "
        "session_class('demo-cutout'); "
        "sys.exit(any(name in sys.modules for name in ('numba', 'pymatting', 'skimage', 'rembg', 'torch')))"
    )
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_networks_that_open_later_are_on_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The memory of a session on a GPU is counted with the first job, which may have no use for them."""
    opened = []
    monkeypatch.setattr(sessions, "create_session", lambda file, device, *_: opened.append((file.name, device)))
    session: Any = sessions.open_session(DEMO, tmp_path / "matting.onnx", "cuda:0")
    assert (None, None) == session.opacity_sessions
    assert [("matting.onnx", "cuda:0"), ("opacity.onnx", "cpu"), ("close_look.onnx", "cpu")] == opened
