"""A real engine and encoder, commanded through the handle that the supervisor uses; no rows, no store."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.running.catalog import environment
from core.ids import new_id
from jobs.server_commands import Preload, Unload
from pipelines.catalog.spec import Deadlines
from workers.ipc.child_process import ChildProcess
from workers.ipc.messages import AnyMessage, Compute, Computed, Encode, Encoded, EngineCommand, SweepDone

LONGEST = 600.0
"""Seconds for any stage."""


class Bench:
    """One engine and, if it `encodes`, one encoder; the processes start at the first request."""

    def __init__(self, folder: Path, *, encodes: bool = True) -> None:
        self.engine = ChildProcess("workers.engine.engine")
        self.encoder = ChildProcess("workers.engine.encoder")
        self._folder = folder
        self._encodes = encodes

    def make(self, model: str, modality: str, body: Mapping[str, Any]) -> None:
        """One job: computed, and encoded where the bench encodes."""
        ticket = new_id("job")
        params = {**body, "modality": modality}
        raw, out = str(self._folder / ticket / "raw"), str(self._folder / ticket / "out")
        compute = Compute(ticket=ticket, model=model, modality=modality, params=params, seed=1, folder=raw)
        answer = _ask(self.engine, compute)
        assert isinstance(answer, Computed), answer
        if not self._encodes:
            return
        encode = Encode(ticket=ticket, model=model, modality=modality, params=params, raw=raw, folder=out)
        answer = _ask(self.encoder, encode)
        assert isinstance(answer, Encoded), answer

    def command(self, command: Preload | Unload) -> None:
        """Have the engine carry out a command."""
        answer = _ask(self.engine, EngineCommand(ticket=new_id("ord"), command=command))
        assert isinstance(answer, SweepDone), answer

    def resident_memory(self) -> int:
        """Bytes of the engine process, as the kernel counts them."""
        pages = int(Path(f"/proc/{self.engine.pid}/statm").read_text().split()[1])
        return pages * 4096

    def stop(self) -> None:
        """End both processes."""
        self.engine.stop()
        self.encoder.stop()


@contextmanager
def bench(settings: Mapping[str, str], *, encodes: bool = True) -> Iterator[Bench]:
    """A bench whose processes get these settings."""
    with environment(dict(settings)), tempfile.TemporaryDirectory(prefix="atelier-bench-") as folder:
        made = Bench(Path(folder), encodes=encodes)
        try:
            yield made
        finally:
            made.stop()


def _ask(process: ChildProcess, request: Compute | Encode | EngineCommand) -> AnyMessage:
    return process.request(request, Deadlines(**dict.fromkeys(Deadlines.__struct_fields__, LONGEST)))
