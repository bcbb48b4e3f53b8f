"""A bare pipeline in a loop, in a process of its own: what the service is held against.

It loads the model as an engine does, with the same settings, and writes no row and no object. `python -m
benchmarks.running.loop` is the process: it reads a `Turn` a line, and answers each with the seconds that it took.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec


class Turn(msgspec.Struct, frozen=True):
    """Make `count` of what `body` asks for, one after the other, and encode each of them if `encode`."""

    model: str
    body: dict[str, Any]
    count: int
    encode: bool


class Took(msgspec.Struct, frozen=True):
    """Seconds: of all, and of encoding alone."""

    total: float
    encoding: float


class Loop:
    """The handle on the process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __call__(self, model: str, body: dict[str, Any], count: int, *, encode: bool) -> Took:
        """Take a turn; a model's first one also loads it and warms up, before the clock runs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(Turn(model, body, count, encode)) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Took)


@contextmanager
def bare_loop(settings: Mapping[str, str]) -> Iterator[Loop]:
    """Start the process with these `ATELIER_*` settings, and end it again."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.running.loop"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **settings},
    )
    with process:
        yield Loop(process)


def main() -> None:
    """Take turns until the other side is gone."""
    from core.settings import read_settings
    from pipelines.catalog.loader import load_catalog
    from pipelines.runtime import device as runtime
    from pipelines.weights.lockfile import read_lock
    from pipelines.weights.verify import weights_folder

    settings = read_settings()
    device = runtime.prepare(settings.device, settings.cpu_threads)
    catalog, lock = load_catalog(settings.catalog), read_lock(settings.weights_lock)
    loaded: dict[str, Any] = {}
    for line in sys.stdin.buffer:
        turn = msgspec.json.decode(line, type=Turn)
        spec = catalog.get(turn.model)
        if turn.model not in loaded:
            loaded.clear()
            loaded[turn.model] = runtime.load(spec, weights_folder(settings.weights_dir), lock, device.name)
            _take(loaded[turn.model], spec, msgspec.structs.replace(turn, count=1))
        sys.stdout.buffer.write(msgspec.json.encode(_take(loaded[turn.model], spec, turn)) + b"\n")
        sys.stdout.buffer.flush()


def _take(pipeline: Any, spec: Any, turn: Turn) -> Took:
    from jobs.params.registry import PARAMS_OF
    from pipelines.runtime.protocol import Inputs, RunContext
    from pipelines.runtime.registry import encoder

    params = msgspec.convert(turn.body, PARAMS_OF[spec.modality])
    context = RunContext(seed=1, progress=lambda fraction, stage: None, warn=lambda text: None)
    began, encoding = time.perf_counter(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(turn.count):
            raw = pipeline.run(params, Inputs(), context)
            made = time.perf_counter()
            if turn.encode:
                encoder(spec)(raw, params, Path(folder))
            encoding += time.perf_counter() - made
        return Took(time.perf_counter() - began, encoding)


if __name__ == "__main__":
    main()
