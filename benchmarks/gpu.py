"""Ratios 1 to 6 on one GPU: models of the published sizes with random weights, through the code that serves them.

`python -m benchmarks.gpu` wants a GPU and, for the largest model, 25 GB of disk (where TMPDIR is) and 64 GB of memory.
It needs no database, no package of the API, and PyAV only for speech and films; without it those are computed and not
encoded. `--tiny` is the same script with the tests' tiny checkpoints on whatever there is, to see that it works.

One model after the other, in stages of a process each: its checkpoint is written; a process that only computes counts
FLOPs, kernels, memory (3, 4) and tokens of speech; a real engine starts cold, makes a row of jobs, and is parked and
woken (1, 2, 3, 5, 6). A stage that no longer fits into `--seconds` is skipped, and one that fails costs the others
nothing; the table says so. Random weights compute as much as trained ones do; what they make is noise, which is the
worst case for a PNG. With `--service` the whole service does the same jobs, where its database is installed.
"""

import argparse
from collections.abc import Sequence

import msgspec

from benchmarks.card.cases import CASES, Case, tiny
from benchmarks.card.machine import probe
from benchmarks.card.session import Options, Session
from benchmarks.report import Report, write_table

TITLE = "Ratios 1 to 6 on one GPU"
TINY_CYCLES = 5
NOTHING_MEASURED = "no card could be had: nothing of this service was measured on a GPU yet"
"""What the page says until a run on a card has found figures."""


def run(*, quick: bool = False) -> Report:
    """Measure everything on the first GPU; `quick` means tiny, and that is also measured without a GPU."""
    return measure(CASES, Options(is_tiny=quick, cycles=TINY_CYCLES if quick else Options().cycles))


def measure(cases: Sequence[Case], options: Options) -> Report:
    """Measure these cases; what is found is written after each model, so that a session cut short leaves it."""
    device, machine = probe()
    report = Report(name="gpu", title=TITLE, figures=[], machine=machine)
    if device == "cpu" and not options.is_tiny:
        return msgspec.structs.replace(report, machine="no GPU at hand", notes=[NOTHING_MEASURED])
    session = Session(device, options)
    session.measure_bus()
    for case in cases:
        session.measure(tiny(case) if options.is_tiny else case)
        report = msgspec.structs.replace(report, figures=[*session.figures], notes=[*session.notes])
        if not options.is_tiny:
            report.write()
    return report


def main() -> None:
    """Print the table, and keep it when it is of a GPU at full size."""
    names = [case.model for case in CASES]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true", help="tiny models, on the CPU without a GPU")
    parser.add_argument(
        "--models", default=",".join(names), help="names with commas between them (default: %(default)s)"
    )
    parser.add_argument("--cycles", type=int, help="times that each model is parked and woken (default: 50, tiny: 5)")
    parser.add_argument(
        "--seconds", type=float, default=Options().seconds, help="for everything (default: %(default)g)"
    )
    parser.add_argument("--service", action="store_true", help="the whole service as well, with its database")
    asked = parser.parse_args()
    models = asked.models.split(",")
    if unknown := set(models) - set(names):
        parser.error(f"no model {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    report = measure(
        [case for case in CASES if case.model in models],
        Options(
            cycles=asked.cycles or (TINY_CYCLES if asked.tiny else Options().cycles),
            seconds=asked.seconds,
            is_tiny=asked.tiny,
            with_service=asked.service,
        ),
    )
    print(f"== {report.machine}")
    report.show()
    if not asked.tiny and report.figures:
        write_table()


if __name__ == "__main__":
    main()
