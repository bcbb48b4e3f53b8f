"""The providers of ONNX Runtime's sessions, and what is said where the CPU's takes the place of CUDA's."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from pipelines.cutout import onnx_session
from pipelines.cutout.onnx_session import cpu_fallback, create_session
from pipelines.cutout.sessions import open_session
from tests.support.checkpoints import tiny_onnx

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class Library:
    """An onnxruntime with CUDA's provider, which loads or does not; `asked` are the arguments of its sessions."""

    SessionOptions = onnxruntime.SessionOptions

    def __init__(self, works: bool = True) -> None:
        self.works = works
        self.is_preloaded = False
        self.asked: dict[str, Any] = {}

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def preload_dlls(self) -> None:
        self.is_preloaded = True

    def InferenceSession(self, file: str, options: object, **asked: Any) -> Any:  # noqa: N802
        self.asked = asked
        used = [CUDA, CPU] if self.works else [CPU]
        return SimpleNamespace(get_providers=lambda: used, disable_fallback=lambda: None)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setattr(onnx_session, "onnxruntime", made)
    return made


def test_a_gpu_gets_cuda_with_bounds(library: Library) -> None:
    session = create_session(Path("x.onnx"), "cuda:3", expected_bytes=1000)
    options = {"device_id": 3, "arena_extend_strategy": "kSameAsRequested", "gpu_mem_limit": 2000}
    assert [(CUDA, options), CPU] == library.asked["providers"]
    assert library.is_preloaded
    assert "" == cpu_fallback(session, "cuda:3")


def test_a_model_of_unknown_size_has_no_limit(library: Library) -> None:
    create_session(Path("x.onnx"), "cuda")
    assert [(CUDA, {"device_id": 0, "arena_extend_strategy": "kSameAsRequested"}), CPU] == library.asked["providers"]


def test_the_cpu_gets_no_cuda(library: Library) -> None:
    session = create_session(Path("x.onnx"), "cpu", expected_bytes=1000)
    assert [CPU] == library.asked["providers"]
    library.works = False
    assert "" == cpu_fallback(session, "cpu")


def test_a_provider_that_does_not_load_is_reported(library: Library) -> None:
    library.works = False
    assert "could not load its CUDA provider" in cpu_fallback(create_session(Path("x.onnx"), "cuda:0"), "cuda:0")


def test_without_a_cuda_provider_it_computes_on_the_cpu(tmp_path: Path) -> None:
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has the CUDA provider")
    session = open_session("u2net", tiny_onnx.save("u2net", tmp_path), "cuda:0", 1000)
    assert "install onnxruntime-gpu" in cpu_fallback(session.inner_session, "cuda:0")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8))
    assert (30, 40) == session.predict(image)[0].size


def test_a_failing_run_is_not_repeated_on_the_cpu(tmp_path: Path) -> None:
    session = open_session("u2net", tiny_onnx.save("u2net", tmp_path), "cpu")
    assert not session.inner_session._enable_fallback


def test_threads_are_what_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tiny_onnx.save("u2net", tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = create_session(file, "cpu")
    monkeypatch.delenv("OMP_NUM_THREADS")
    any_number = create_session(file, "cpu")
    assert (1, 0) == tuple(session.get_session_options().intra_op_num_threads for session in (one, any_number))
