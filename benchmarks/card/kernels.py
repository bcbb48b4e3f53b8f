"""The share of a job in which the device computes: the union of its kernels' intervals."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.families.timed import Interval, union_seconds

_COPIES = ("Memcpy", "Memset")


def kernel_seconds(work: Callable[[], object], device: str) -> tuple[float, int]:
    """Return the seconds in which any kernel ran on `device` during `work`, and the number of kernels.

    On the CPU the operators of torch stand for kernels.
    """
    is_cpu = device == "cpu"
    with profile(activities=[ProfilerActivity.CPU if is_cpu else ProfilerActivity.CUDA]) as profiler:
        work()
        if not is_cpu:
            torch.cuda.synchronize()
    found = kernel_intervals(profiler.events() or (), DeviceType.CPU if is_cpu else DeviceType.CUDA)
    return union_seconds(found), len(found)


def kernel_intervals(events: Iterable[Any], device_type: DeviceType) -> list[Interval]:
    """Return the intervals of the kernels of a device among the events of a profiler, in seconds, sorted.

    Copies and fills of memory are no kernels, and neither are the profiler's own annotations.
    """
    return sorted(
        (event.time_range.start / 1e6, event.time_range.end / 1e6)
        for event in events
        if event.device_type == device_type
        and not event.name.startswith(_COPIES)
        and not getattr(event, "is_user_annotation", False)
    )
