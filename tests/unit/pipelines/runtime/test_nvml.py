"""A process's share of a GPU, by a driver that is made up."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.runtime import nvml

MACHINE, CONTAINER = "pid:[4026531836]", "pid:[4026532281]"


class Driver:
    """NVML with one GPU, and (process, bytes) on it."""

    def __init__(self, *processes: tuple[int, int], status: int = 0) -> None:
        self.processes = processes
        self.status = status

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, device: Any) -> int:  # noqa: N802
        return 0 if uuid == b"GPU-5f1c" else 6

    def nvmlDeviceGetComputeRunningProcesses_v3(self, device: Any, count: Any, found: Any) -> int:  # noqa: N802
        count._obj.value = len(self.processes)
        for place, (pid, used) in zip(found._obj, self.processes, strict=False):
            place.pid, place.used_bytes = pid, used
        return self.status


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    nvml._library.cache_clear()
    yield
    nvml._library.cache_clear()


def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, driver: Driver, namespace: str = MACHINE) -> int | None:
    (tmp_path / "pid").symlink_to(namespace)
    monkeypatch.setattr(nvml, "_OWN_NAMESPACE", tmp_path / "pid")
    monkeypatch.setattr(nvml.ctypes, "CDLL", lambda name: driver)
    return nvml.process_bytes("GPU-5f1c")


def test_only_this_process_counts(monkeypatch, tmp_path):
    assert 700 == seen(monkeypatch, tmp_path, Driver((1, 5000), (os.getpid(), 700)))


@pytest.mark.parametrize(
    ("driver", "namespace"),
    [
        (Driver((1, 5000)), MACHINE),
        (Driver((os.getpid(), 2**64 - 1)), MACHINE),
        (Driver((os.getpid(), 700), status=3), MACHINE),
        (Driver((os.getpid(), 700)), CONTAINER),
    ],
    ids=["not listed", "not available", "refused", "numbers of another namespace"],
)
def test_a_figure_that_is_not_sure_is_none(monkeypatch, tmp_path, driver, namespace):
    assert seen(monkeypatch, tmp_path, driver, namespace) is None


def test_a_machine_without_the_library_has_no_figure(monkeypatch, tmp_path):
    def missing(name: str) -> None:
        raise OSError(name)

    (tmp_path / "pid").symlink_to(MACHINE)
    monkeypatch.setattr(nvml, "_OWN_NAMESPACE", tmp_path / "pid")
    monkeypatch.setattr(nvml.ctypes, "CDLL", missing)
    assert nvml.process_bytes("GPU-5f1c") is None
