"""The limits of what models take of the device and of host memory, and of how long they stay unused."""

import msgspec

from core.settings import Settings
from pipelines.runtime.device import Device
from pipelines.runtime.host_memory import host_memory

DEVICE_SHARE, HOST_SHARE = 0.9, 0.5
"""Shares of the device's and of the machine's memory that models may take, unless the settings say otherwise. What
jobs take comes on top (`workers.engine.working_memory`)."""


class MemoryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of memory and of idleness.

    `device` and `host` are bytes: of models on the device, of master copies in host memory. After `idle_unload` seconds
    an idle model leaves the device, after `idle_drop` the host too; 0 means never.
    """

    device: int
    host: int = 0
    idle_unload: float = 0.0
    idle_drop: float = 0.0


def limits_of(settings: Settings, device: Device) -> MemoryLimits:
    """Return the limits of memory: those of the settings, else shares of the machine's."""
    host = host_share(1) if device.name != "cpu" else 0
    return MemoryLimits(
        device=settings.vram_budget or round(DEVICE_SHARE * device.memory_total),
        host=(host if settings.host_budget < 0 else settings.host_budget) // (1 + len(peer_devices(settings))),
        idle_unload=settings.idle_unload_seconds,
        idle_drop=settings.idle_drop_seconds,
    )


def peer_devices(settings: Settings) -> tuple[str, ...]:
    """Return the devices that compute videos together with the engine's own; each process has an equal host budget."""
    return tuple(name.strip() for name in settings.peer_devices.split(",") if name.strip())


def host_share(workers: int) -> int:
    """Return the bytes of host memory for master copies of each of so many workers on this machine."""
    return round(HOST_SHARE * host_memory() / workers)
