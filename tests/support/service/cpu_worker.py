"""The CPU worker in a thread of the test's own process, and as a process."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from core.settings import Settings
from tests.support.service.decoders_on_demand import start_decoders_on_demand
from workers.cpu.main import serve


@contextmanager
def cpu_worker(settings: Settings) -> Iterator[None]:
    """Every loop of the CPU worker, for as long as the context lasts."""
    start_decoders_on_demand()
    started = threading.Event()
    handle: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stop = asyncio.Event()
        handle.append((asyncio.get_running_loop(), stop))
        started.set()
        await serve(settings, stop)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    started.wait()
    try:
        yield
    finally:
        loop, stop = handle[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextmanager
def cpu_process(settings: Settings, more: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m workers.cpu.main` with exactly these settings and `more` variables, and kill it at the end.

    Its log is on stderr.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")}
    environment |= {
        f"ATELIER_{name.upper()}": str(int(value) if isinstance(value, bool) else value)
        for name, value in msgspec.structs.asdict(settings).items()
    }
    environment |= more or {}
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.cpu.main"], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
