"""Cores that a process may use: its machine's, its container's, its share of them, and those near its GPU."""

import os
from pathlib import Path

import pytest

from pipelines.runtime import control_groups, processors
from pipelines.runtime.processors import bind_near, cores, cores_per_gpu


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


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch, root: Path) -> dict[int, set[int]]:
    """The cores that threads were bound to; this process has two threads, 10 and 11."""
    found = dict[int, set[int]]()
    monkeypatch.setattr(processors, "_PCI_DEVICES", root / "pci")
    monkeypatch.setattr(processors, "_TASKS", root / "tasks")
    monkeypatch.setattr(os, "sched_setaffinity", found.__setitem__)
    for task in (10, 11):
        (root / "tasks" / str(task)).mkdir(parents=True)
    return found


@pytest.mark.parametrize(
    ("near", "expected"), [("0-3,8-9", {0, 1, 2, 3, 8, 9}), ("15", {15}), ("12-40", set(range(12, 16)))]
)
def test_every_thread_goes_to_the_gpus_socket(
    root: Path, bound: dict[int, set[int]], near: str, expected: set[int]
) -> None:
    write(root / "pci" / "0001:8a:00.0" / "local_cpulist", near)
    bind_near(1, 0x8A, 0)
    assert {10: expected, 11: expected} == bound


@pytest.mark.parametrize("near", [None, "", "64-127", "none"])
def test_without_a_usable_core_near_it_nothing_changes(
    root: Path, bound: dict[int, set[int]], near: str | None
) -> None:
    if near is not None:
        write(root / "pci" / "0000:8a:00.0" / "local_cpulist", near)
    bind_near(0, 0x8A, 0)
    assert {} == bound
