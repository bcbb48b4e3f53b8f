"""The processor cores of this process: its share of them beside the GPUs of the machine, and those near its GPU."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipelines.runtime.control_groups import read_limits

_GPU_NODES = Path("/dev")
"""NVIDIA's driver makes a node `nvidia0`, `nvidia1`, ... there for each GPU; a container has those of its own GPUs."""

_PCI_DEVICES = Path("/sys/bus/pci/devices")
_TASKS = Path("/proc/self/task")


def cores() -> int:
    """Return the cores that this process may use at once, at least 1: those it may run on, or its group's quota."""
    return max(1, int(min([len(os.sched_getaffinity(0)), *_quotas()])))


def cores_per_gpu(visible: int) -> int:
    """Return the cores for each GPU of this machine or container, at least 1.

    `visible` are the GPUs that torch sees: one, where several workers share a machine.
    """
    nodes = sum(1 for node in _GPU_NODES.glob("nvidia[0-9]*") if node.name.removeprefix("nvidia").isdigit())
    return max(1, cores() // max(1, nodes, visible))


def bind_near(domain: int, bus: int, device: int) -> None:
    """Bind this process to the cores of the socket that this PCI device is at.

    Memory lies where the thread that first touches it runs, and a GPU copies from the other socket at about half the
    speed. Where the system does not say which cores are near, or this process may use none of them, nothing changes.
    """
    file = _PCI_DEVICES / f"{domain:04x}:{bus:02x}:{device:02x}.0" / "local_cpulist"
    try:
        near = os.sched_getaffinity(0) & _read_list(file.read_text())
    except (OSError, ValueError):
        return
    for task in _TASKS.iterdir() if near else ():  # threads that begin later inherit it from these
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), near)


def _read_list(text: str) -> set[int]:
    """Return the numbers of a list of the kernel's, such as `0-15,32-47`."""
    ranges = (part.partition("-") for part in text.strip().split(",") if part)
    return {number for first, _, last in ranges for number in range(int(first), int(last or first) + 1)}


def _quotas() -> Iterator[float]:
    """Yield how many cores' time each control group of this process may take."""
    for file, text in read_limits("cpu", "cpu.max", "cpu.cfs_quota_us"):
        quota, _, period = text.partition(" ")
        try:
            share = int(quota) / int(period or file.with_name("cpu.cfs_period_us").read_text())
        except (OSError, ValueError, ZeroDivisionError):  # "max", or a group that is gone
            continue
        if share > 0:  # -1 is none, too
            yield share
