"""The processes that compute one result together, by torch.distributed over loopback."""

import os
import socket
from datetime import timedelta
from typing import Any

HOST = "127.0.0.1"
"""All processes are on this machine, and none is to be reached from another one."""
JOIN_SECONDS = 120.0
"""How long a process waits for the others."""
_LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}


def open_store() -> tuple[Any, int]:
    """Return a store in which processes find one another, and the port for `connect`, a free one of loopback."""
    listener = socket.create_server((HOST, 0))
    port: int = listener.getsockname()[1]
    return _store(port, is_master=True, master_listen_fd=listener.detach()), port


def connect(port: int) -> Any:
    """Return the store that another process has opened."""
    return _store(port, is_master=False)


def join(store: Any, rank: int, ranks: int, device: str) -> None:
    """Join the processes that compute together; returns when all have.

    They speak by NCCL on GPUs, by gloo on the CPU.
    """
    import torch
    from torch import distributed

    for name, value in _LOOPBACK.items():
        os.environ.setdefault(name, value)
    distributed.init_process_group(
        "gloo" if device == "cpu" else "nccl",
        store=store,
        rank=rank,
        world_size=ranks,
        timeout=timedelta(seconds=JOIN_SECONDS),
        device_id=None if device == "cpu" else torch.device(device),
    )


def _store(port: int, **options: Any) -> Any:
    from torch import distributed

    timeout = timedelta(seconds=JOIN_SECONDS)
    return distributed.TCPStore(HOST, port, timeout=timeout, wait_for_workers=False, **options)  # type: ignore[attr-defined]
