"""The share of time in which kernels run, from a profiler's events."""

from types import SimpleNamespace

import torch
from torch.autograd import DeviceType

from benchmarks.card.kernels import kernel_intervals, kernel_seconds
from benchmarks.families.timed import union_seconds


def event(name: str, start: float, end: float, device: DeviceType = DeviceType.CUDA, **more: bool) -> SimpleNamespace:
    return SimpleNamespace(name=name, device_type=device, time_range=SimpleNamespace(start=start, end=end), **more)


def test_only_kernels_of_the_device_count_and_overlaps_once() -> None:
    events = [
        event("gemm", 2_000_000, 4_000_000),
        event("norm", 1_000_000, 2_500_000),
        event("Memcpy HtoD", 0, 9_000_000),
        event("Memset", 0, 9_000_000),
        event("aten::mm", 0, 9_000_000, DeviceType.CPU),
        event("ProfilerStep", 0, 9_000_000, is_user_annotation=True),
        event("decode", 6_000_000, 7_000_000),
    ]
    found = kernel_intervals(events, DeviceType.CUDA)
    assert [(1.0, 2.5), (2.0, 4.0), (6.0, 7.0)] == found
    assert 4.0 == union_seconds(found)


def test_a_real_profile_of_the_cpu_has_operators() -> None:
    one = torch.ones(64, 64)
    seconds, count = kernel_seconds(lambda: one @ one, "cpu")
    assert count >= 1
    assert 0 < seconds < 1
