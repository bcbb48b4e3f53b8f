"""The processor cores of this process, and its share of them beside the GPUs of the machine."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipelines.runtime.control_groups import read_limits

_GPU_NODES = Path("/dev")
"""NVIDIA's driver makes a node `nvidia0`, `nvidia1`, ... there for each GPU; a container has those of its own GPUs."""


def cores() -> int:
    """Return the cores that this process may use at once, at least 1: those it may run on, or its group's quota."""
    return max(1, int(min([len(os.sched_getaffinity(0)), *_quotas()])))


def cores_per_gpu(visible: int) -> int:
    """Return the cores for each GPU of this machine or container, at least 1.

    `visible` are the GPUs that torch sees: one, where several workers share a machine.
    """
    nodes = sum(1 for node in _GPU_NODES.glob("nvidia[0-9]*") if node.name.removeprefix("nvidia").isdigit())
    return max(1, cores() // max(1, nodes, visible))


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
