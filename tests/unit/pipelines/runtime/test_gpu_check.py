"""The choice of the device, with a torch and a driver that are made up."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.runtime import gpu_check
from pipelines.runtime.gpu_check import DeviceUnusable, choose_device, driver_version, find_gpu, main

OLD_DRIVER = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version: 12"
NEW_DRIVER = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder)\n"


class FakeCuda:
    """`torch.cuda` of a machine whose GPU says `reason`, or works; `current` is the current device."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.current = ""

    def init(self) -> None:
        if self.reason:
            raise RuntimeError(self.reason)

    def set_device(self, device: str) -> None:
        self.current = device

    def get_device_name(self, device: str) -> str:
        return "NVIDIA H200"


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a GPU; a file `nvidiactl` in its folder is one."""
    monkeypatch.setattr(gpu_check, "_GPU_NODES", (str(tmp_path / "nvidiactl"),))
    monkeypatch.setattr(gpu_check, "_AMD_NODE", str(tmp_path / "kfd"))
    monkeypatch.setattr(gpu_check, "_DRIVER_VERSION", tmp_path / "version")
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def with_torch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeCuda]:
    def install(reason: str = "", cuda: str | None = "13.0", ones: Any = None) -> FakeCuda:
        fake = FakeCuda(reason)
        made = ones or (lambda *shape, device: np.ones(shape))
        version = SimpleNamespace(cuda=cuda, hip=None)
        fake_torch = SimpleNamespace(__version__="2.13.0", version=version, cuda=fake, ones=made)
        monkeypatch.setitem(sys.modules, "torch", fake_torch)
        return fake

    return install


def refusal(wanted: str = "", **environment: str) -> str:
    with pytest.raises(DeviceUnusable) as caught:
        choose_device(wanted, environment)
    assert "ATELIER_DEVICE=cpu" in str(caught.value)
    return str(caught.value)


def test_without_a_gpu_it_is_the_cpu(with_torch):
    with_torch(reason="never asked")
    assert "cpu" == choose_device("", {})


@pytest.mark.parametrize(
    ("wanted", "chosen"), [("", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")]
)
def test_a_gpu_that_works_becomes_the_current_device(with_torch, machine, wanted, chosen):
    (machine / "nvidiactl").touch()
    cuda = with_torch()
    assert chosen == choose_device(wanted, {})
    assert cuda.current == ("" if wanted == "cpu" else chosen)


def test_an_old_driver_is_an_error_with_the_least_one(with_torch, machine):
    (machine / "nvidiactl").touch()
    (machine / "version").write_text(OLD_DRIVER)
    with_torch("The NVIDIA driver on your system is too old (found version 12040).")
    text = refusal()
    for part in ("r580", "550.54.15", "CUDA 13.0", "found version 12040"):
        assert part in text


def test_a_pod_without_its_runtime_class_is_an_error(with_torch):
    with_torch("Found no NVIDIA driver on your system.")
    for environment in ({"NVIDIA_VISIBLE_DEVICES": "GPU-5c3e"}, {"CUDA_VISIBLE_DEVICES": "0"}):
        assert "runtimeClassName" in refusal(**environment)
    assert "runtimeClassName" in refusal("cuda:0")


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("Found no NVIDIA driver on your system.", "libcuda.so.1 is missing"),
        ("CUDA error: no kernel image is available for execution on the device", "no code for so old"),
        ("No CUDA GPUs are available", "xid"),
        ("CUDA error: invalid device ordinal", "fewer GPUs"),
    ],
)
def test_torchs_own_reason_comes_with_advice(with_torch, machine, reason, advice):
    (machine / "nvidiactl").touch()
    (machine / "version").write_text(NEW_DRIVER)
    with_torch(f"{reason}\nCompile with TORCH_USE_CUDA_DSA")
    text = refusal()
    assert reason in text
    assert advice in text
    assert "DSA" not in text


def test_a_gpu_that_multiplies_wrongly_is_an_error(with_torch, machine):
    (machine / "nvidiactl").touch()
    with_torch(ones=lambda *shape, device: np.full(shape, 2.0))
    assert "broken" in refusal()


def test_a_torch_for_the_cpu_is_an_error_only_if_it_must_not_be(with_torch, machine, caplog):
    (machine / "nvidiactl").touch()
    with_torch(cuda=None)
    assert "cpu" == choose_device("", {})
    assert "torch is built for the CPU" in caplog.text
    assert "built for the CPU" in refusal("cuda:0")


def test_a_device_that_is_not_one_is_an_error():
    with pytest.raises(DeviceUnusable, match="give cpu, cuda, or cuda:N"):
        choose_device("gpu", {})


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, ""),
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, ""),
        ({"NVIDIA_VISIBLE_DEVICES": "void"}, ""),
        ({"NVIDIA_VISIBLE_DEVICES": "GPU-5c3e"}, "NVIDIA_VISIBLE_DEVICES=GPU-5c3e"),
        ({"CUDA_VISIBLE_DEVICES": "1"}, "CUDA_VISIBLE_DEVICES=1"),
        ({"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "GPU-5c3e"}, ""),
    ],
)
def test_a_variable_that_names_a_gpu_shows_one(environment, shown):
    assert shown == find_gpu(environment)


def test_amds_driver_counts_beside_a_torch_for_rocm(machine, monkeypatch):
    (machine / "kfd").touch()
    monkeypatch.setattr(gpu_check, "torch_version", lambda: "2.13.0")
    assert "" == find_gpu({})
    monkeypatch.setattr(gpu_check, "torch_version", lambda: "2.13.0+rocm7.1")
    assert str(machine / "kfd") == find_gpu({})


@pytest.mark.parametrize(("text", "found"), [(OLD_DRIVER, "550.54.15"), (NEW_DRIVER, "580.65.06"), ("x", "")])
def test_the_drivers_version(machine, text, found):
    assert "" == driver_version()
    (machine / "version").write_text(text)
    assert found == driver_version()


def test_the_command_prints_the_gpu_or_why_not(with_torch, machine, capsys):
    (machine / "nvidiactl").touch()
    with_torch()
    assert 0 == main("cuda:0")
    with_torch("CUDA unknown error")
    assert 1 == main("cuda:0")
    works, fails = capsys.readouterr().out.splitlines()
    assert "NVIDIA H200, driver unknown" == works
    assert "CUDA unknown error" in fails
