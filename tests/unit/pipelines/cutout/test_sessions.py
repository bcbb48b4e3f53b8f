import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from core.errors import ModelLoadFailed
from pipelines.cutout.sessions import DEMO, open_session, session_class
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


def test_threads_are_what_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tiny_onnx.save("u2net", tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = open_session("u2net", file, "cpu")
    monkeypatch.delenv("OMP_NUM_THREADS")
    any_number = open_session("u2net", file, "cpu")
    assert 1 == one.inner_session.get_session_options().intra_op_num_threads  # type: ignore[attr-defined]
    assert 0 == any_number.inner_session.get_session_options().intra_op_num_threads  # type: ignore[attr-defined]


def test_a_gpu_without_cuda_provider_falls_back_to_the_cpu(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has the CUDA provider")
    with caplog.at_level(logging.WARNING):
        session = open_session("u2net", tiny_onnx.save("u2net", tmp_path), "cuda:0")
    assert "onnxruntime-gpu" in caplog.text
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8))
    assert (30, 40) == session.predict(image)[0].size
