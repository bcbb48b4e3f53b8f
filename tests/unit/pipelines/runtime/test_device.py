import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from core.errors.failures import ModelLoadFailed, WeightsNotLocked
from pipelines.runtime import device as runtime
from pipelines.runtime.device import load, prepare
from pipelines.weights import hash_cache
from pipelines.weights.lockfile import Lock, LockedFile, LockedModel
from tests.support.checkpoints.specs import spec
from tests.support.faults.chaos import Chaos

HERE = f"{__name__}:"


class Broken:
    def __init__(self, *_: object) -> None:
        raise KeyError("model_index.json")


class Greedy:
    def __init__(self, *_: object) -> None:
        raise MemoryError


def test_a_fresh_process_is_offline_with_a_device_but_no_torch() -> None:
    code = (
        "import json, os, sys; from pipelines.runtime.device import prepare, free_caches;"
        "device = prepare('cpu', 1, '/kept');"
        "free_caches(); print(json.dumps([device.name, device.memory_total, device.versions, 'torch' in sys.modules,"
        "device.product, os.environ['HF_HUB_OFFLINE'],"
        "os.environ['OMP_NUM_THREADS'], os.environ['TORCHINDUCTOR_CACHE_DIR']]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    name, memory, versions, torch_imported, product, offline, threads, compiled = json.loads(answer.stdout)
    assert ("cpu", False, "1", "1", "/kept") == (name, torch_imported, offline, threads, compiled)
    assert 2**28 < memory
    assert {"atelier", "torch", "diffusers", "transformers", "onnxruntime"} == set(versions)
    assert product not in ("", "cpu")


@pytest.mark.parametrize(("device", "wanted", "threads"), [("cpu", -1, 1), ("cuda:0", -1, 5), ("cuda:0", 3, 3)])
def test_threads_on_either_device(monkeypatch: pytest.MonkeyPatch, device: str, wanted: int, threads: int) -> None:
    before, environment = torch.get_num_threads(), dict(os.environ)
    monkeypatch.setattr(runtime, "choose_device", lambda wanted: device)
    monkeypatch.setattr(runtime, "_memory_total", lambda name: 1)
    monkeypatch.setattr(runtime, "_product", lambda name: "a card")
    monkeypatch.setattr(runtime, "cores_per_gpu", lambda visible: 5)
    monkeypatch.setattr(runtime, "_bind_near", lambda device: 100)
    monkeypatch.setattr(os, "environ", environment)
    try:
        prepare(device, wanted)
        assert (threads, str(threads)) == (torch.get_num_threads(), environment["OMP_NUM_THREADS"])
    finally:
        torch.set_num_threads(before)


def test_a_model_without_weights_needs_no_lock(tmp_path: Path) -> None:
    assert isinstance(load(spec(family="tests.support.faults.chaos:Chaos", source={}), tmp_path, Lock(), "cpu"), Chaos)


class Reader:
    """A pipeline that records when it was made."""

    made = threading.Event()

    def __init__(self, *_: object) -> None:
        self.made.set()


def test_a_model_is_read_while_its_files_are_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hash_content(file: Path) -> str:
        assert Reader.made.wait(10), "the load waited for the hash"
        steps.append("hashed")
        return "0" * 64

    steps: list[str] = []
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"weights")
    lock = Lock({"tiny": LockedModel(files={"model.safetensors": LockedFile(size=7, sha256="0" * 64)})})
    monkeypatch.setattr(hash_cache, "hash_content", hash_content)

    load(spec(family=HERE + "Reader"), tmp_path, lock, "cpu")
    steps.append("returned")
    assert ["hashed", "returned"] == steps


def test_a_model_with_weights_does(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotLocked):
        load(spec(family="tests.support.faults.chaos:Chaos"), tmp_path, Lock(), "cpu")


def test_what_breaks_in_construction_is_a_load_failure(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed, match=r"tiny could not be loaded \(KeyError\)"):
        load(spec(family=HERE + "Broken", source={}), tmp_path, Lock(), "cpu")


def test_out_of_memory_is_left_to_the_engine(tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        load(spec(family=HERE + "Greedy", source={}), tmp_path, Lock(), "cpu")
