"""Stages in processes of their own, which end in time.

Figures come over a pipe as they are found. A fault of the device, a failure or an overrun costs no other stage, and
none of the figures that were found before it.
"""

import traceback
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from time import monotonic
from typing import Any

from benchmarks.report import Figure

END_SECONDS = 10.0
"""For a process to end by itself once it has sent everything."""


class StageFailed(Exception):
    """The stage ended before it was done; the text says why."""


def figures_of(work: str, arguments: tuple[Any, ...], seconds: float) -> Iterator[Figure]:
    """Yield the figures of the function `work` ("module:name"), run in a fresh process for at most `seconds`.

    Only that process imports the module.

    Raises `StageFailed` when it fails, dies or takes longer.
    """
    spawning = get_context("spawn")  # a forked process could not use the GPU
    ours, theirs = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_run, args=(theirs, work, arguments), daemon=True)
    process.start()
    theirs.close()
    until = monotonic() + seconds
    try:
        while ours.poll(max(0.0, until - monotonic())):
            found = ours.recv()
            if found is None:
                process.join(END_SECONDS)
                return
            if isinstance(found, str):
                raise StageFailed(found)
            yield found
        raise StageFailed(f"ended after {seconds:.0f} s, which was the time left")
    except EOFError:
        process.join()
        raise StageFailed(f"its process died with {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
        ours.close()


def _run(results: Connection, work: str, arguments: tuple[Any, ...]) -> None:
    try:
        for figure in resolve_name(work)(*arguments):
            results.send(figure)
        results.send(None)
    except Exception as error:
        traceback.print_exc()
        results.send(f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}")
