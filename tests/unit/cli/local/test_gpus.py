"""GPUs, found without torch."""

import threading

import pytest

from cli.local import gpus
from cli.local.start_wait import StartInterrupted

LISTING = """\
GPU 0: NVIDIA H200 (UUID: GPU-5c3e0f3a-0000-4000-8000-000000000000)
GPU 1: NVIDIA H200 (UUID: GPU-5c3e0f3a-0000-4000-8000-000000000001)
"""


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine with a CUDA torch, without a driver, and with an empty PATH."""
    monkeypatch.setattr(gpus, "torch_version", lambda: "2.13.0")
    monkeypatch.setattr(gpus, "PROC", tmp_path / "proc")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def nvidia_smi(machine, script: str) -> None:
    program = machine / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_machine_without_a_driver_has_no_gpu():
    assert [] == gpus.visible_gpus({})


def test_nvidia_smi_lists_the_gpus(machine):
    nvidia_smi(machine, f"echo '{LISTING}'")
    expected = [f"GPU-5c3e0f3a-0000-4000-8000-00000000000{n}" for n in (0, 1)]
    assert expected == gpus.visible_gpus({})


def test_a_failing_nvidia_smi_means_no_gpu(machine):
    nvidia_smi(machine, "echo 'NVIDIA-SMI has failed'; exit 9")
    assert [] == gpus.visible_gpus({})


def test_the_driver_alone_gives_the_number_of_gpus(machine):
    (machine / "proc" / "0000:01:00.0").mkdir(parents=True)
    (machine / "proc" / "0000:02:00.0").mkdir()
    assert ["0", "1"] == gpus.visible_gpus({})


@pytest.mark.parametrize(("devices", "expected"), [("2, 5", ["2", "5"]), ("", []), ("-1", []), ("GPU-a", ["GPU-a"])])
def test_cuda_visible_devices_limits_the_gpus(machine, devices, expected):
    nvidia_smi(machine, f"echo '{LISTING}'")
    assert expected == gpus.visible_gpus({"CUDA_VISIBLE_DEVICES": devices})


def test_a_torch_for_the_cpu_finds_no_gpu(machine, monkeypatch):
    nvidia_smi(machine, f"echo '{LISTING}'")
    monkeypatch.setattr(gpus, "torch_version", lambda: "2.13.0+cpu")
    assert [] == gpus.visible_gpus({})


def test_mig_slices_stand_for_the_gpu_that_is_cut(machine):
    listing = """\
GPU 0: NVIDIA H200 (UUID: GPU-5c3e0f3a-0000-4000-8000-000000000000)
  MIG 3g.71gb     Device  0: (UUID: MIG-2a1f0000-0000-5000-8000-000000000000)
  MIG 3g.71gb     Device  1: (UUID: MIG-2a1f0000-0000-5000-8000-000000000001)
GPU 1: NVIDIA H200 (UUID: GPU-5c3e0f3a-0000-4000-8000-000000000001)
GPU 2: NVIDIA H200 (UUID: GPU-5c3e0f3a-0000-4000-8000-000000000002)
  MIG 7g.141gb    Device  0: (UUID: MIG-2a1f0000-0000-5000-8000-000000000002)
"""
    nvidia_smi(machine, f"echo '{listing}'")
    slices = [f"MIG-2a1f0000-0000-5000-8000-00000000000{n}" for n in range(3)]
    gpu = "GPU-5c3e0f3a-0000-4000-8000-000000000001"
    assert [*slices[:2], gpu, slices[2]] == gpus.visible_gpus({})


def test_each_gpu_is_tried_in_a_process_that_sees_only_it(machine, monkeypatch):
    script = machine / "python"
    script.write_text(
        '#!/bin/sh\ncase "$CUDA_VISIBLE_DEVICES" in\n'
        'GPU-good) echo "a warning"; echo "NVIDIA H200, driver 580.65.06" ;;\n'
        'GPU-bad) echo "torch cannot use $3: the GPU may be gone"; exit 1 ;;\n'
        "*) echo 'Segmentation fault' >&2; exit 139 ;;\nesac\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(gpus.sys, "executable", str(script))
    good, bad, worse = gpus.try_gpus(["GPU-good", "GPU-bad", "GPU-worse"])
    assert (True, "NVIDIA H200, driver 580.65.06") == (good.works, good.text)
    assert (False, "torch cannot use cuda:0: the GPU may be gone") == (bad.works, bad.text)
    assert (False, "Segmentation fault") == (worse.works, worse.text)
    assert [] == gpus.try_gpus([])


def test_an_interrupted_start_waits_for_no_gpu(machine, monkeypatch):
    script = machine / "python"
    script.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(gpus.sys, "executable", str(script))
    interrupted = threading.Event()
    interrupted.set()
    with pytest.raises(StartInterrupted):
        gpus.try_gpus(["0", "1"], interrupted)


def test_a_gpu_that_does_not_answer_does_not_work(machine, monkeypatch):
    script = machine / "python"
    script.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(gpus.sys, "executable", str(script))
    monkeypatch.setattr(gpus, "TRY_TIMEOUT", 0.1)
    (trial,) = gpus.try_gpus(["0"])
    assert not trial.works
    assert "did not answer" in trial.text
