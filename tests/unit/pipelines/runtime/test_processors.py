"""Cores that a process may use: its machine's, its container's, and its share of them beside the GPUs."""

import os
from pathlib import Path

import pytest

from pipelines.runtime import control_groups, processors
from pipelines.runtime.processors import cores, cores_per_gpu


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of 16 cores, without GPUs and limits."""
    monkeypatch.setattr(control_groups, "_GROUPS", tmp_path / "self")
    monkeypatch.setattr(control_groups, "_MOUNT", tmp_path / "mount")
    monkeypatch.setattr(processors, "_GPU_NODES", tmp_path / "dev")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    (tmp_path / "dev").mkdir()
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 16), ("400000 100000", 4), ("50000 100000", 1)])
def test_a_containers_quota_of_version_2(root: Path, quota: str, expected: int) -> None:
    write(root / "self", "0::/")
    write(root / "mount" / "cpu.max", quota)
    assert expected == cores()


@pytest.mark.parametrize(("quota", "expected"), [("-1", 16), ("650000", 6)])
def test_a_containers_quota_of_version_1(root: Path, quota: str, expected: int) -> None:
    write(root / "self", "3:cpu,cpuacct:/pod")
    write(root / "mount" / "cpu" / "pod" / "cpu.cfs_quota_us", quota)
    write(root / "mount" / "cpu" / "pod" / "cpu.cfs_period_us", "100000")
    assert expected == cores()


@pytest.mark.parametrize(("nodes", "visible", "expected"), [(0, 0, 16), (1, 1, 16), (8, 1, 2), (0, 4, 4), (32, 1, 1)])
def test_gpus_divide_the_cores(root: Path, nodes: int, visible: int, expected: int) -> None:
    for number in range(nodes):
        (root / "dev" / f"nvidia{number}").touch()
    for other in ("nvidiactl", "nvidia-uvm", "nvidia0-cap"):
        (root / "dev" / other).touch()
    assert expected == cores_per_gpu(visible)
