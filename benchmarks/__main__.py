"""`python -m benchmarks [NAME …]`: run the benchmarks, write `results/<name>.json` and the table in `README.md`."""

import argparse
import importlib
import importlib.util
import sys

from benchmarks.report import Report, write_table

NAMES = (
    *("throughput", "overlap", "residency", "cold", "latency", "cost", "served", "rates", "mixed"),
    *("depth", "ids", "bodies", "library", "previews", "spoken", "cluster", "gpu"),
)

COMPARED = {"served": "litserve", "rates": "fastapi"}
"""What a benchmark compares with, of the extra `bench`."""


def main() -> int:
    """Run what was asked for, or all of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="few repetitions: to see that it works, not to quote")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    names = options.names or NAMES
    missing = {COMPARED[name] for name in COMPARED if name in names and not importlib.util.find_spec(COMPARED[name])}
    if missing:
        parser.error(f"{', '.join(sorted(missing))} is not installed: pip install -c constraints.txt -e '.[bench]'")
    for name in names:
        print(f"== {name}", flush=True)
        report: Report = importlib.import_module(f"benchmarks.{name}").run(quick=options.quick)
        report.show()
        if not options.quick:
            report.write()
    if not options.quick:
        write_table()
    return 0


if __name__ == "__main__":
    sys.exit(main())
