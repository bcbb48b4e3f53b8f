"""What a benchmark found: figures with the machine and versions they were found on."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

RESULTS = Path(__file__).with_name("results")
TABLE = Path(__file__).with_name("README.md")
_PACKAGES = ("celery", "diffusers", "litestar", "psycopg", "sqlalchemy", "torch")
_HEAD = """# Benchmarks

Each figure comes from one run of `make bench` on the machine named beside it; a ratio compares two things measured in
turn in that run. Absolute times on a shared machine are noise.

"""


class Figure(msgspec.Struct, frozen=True):
    """One number, its unit (a ratio has none) and, for a ratio with one, its target."""

    name: str
    value: float
    unit: str = ""
    target: str = ""

    def show(self) -> None:
        """Print it."""
        target = f"   (target {self.target})" if self.target else ""
        print(f"  {self.name:<64} {self.value:>10.3f} {self.unit}{target}", flush=True)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one benchmark."""

    name: str
    title: str
    figures: list[Figure]
    notes: list[str] = []
    """What was not measured, and why."""
    machine: str = msgspec.field(default_factory=lambda: machine())
    load: float | None = None
    """Load average of the machine at the end: far above 1 for each benchmark, others were at work."""
    date: str = msgspec.field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    versions: dict[str, str] = msgspec.field(default_factory=lambda: _versions())

    def show(self) -> None:
        """Print the figures and notes."""
        for figure in self.figures:
            figure.show()
        for note in self.notes:
            print(f"  {note}", flush=True)

    def write(self) -> None:
        """Write `results/<name>.json`; a run that had nothing to measure leaves what another machine found."""
        RESULTS.mkdir(exist_ok=True)
        if not self.figures and (RESULTS / f"{self.name}.json").exists():
            return
        loaded = msgspec.structs.replace(self, load=round(os.getloadavg()[0], 1))
        text = msgspec.json.format(msgspec.json.encode(loaded), indent=1)
        (RESULTS / f"{self.name}.json").write_bytes(text + b"\n")


def machine() -> str:
    """Return a description of the machine; torch is asked only where it is imported already."""
    cuda = sys.modules["torch"].cuda if "torch" in sys.modules else None
    gpu = cuda.get_device_name(0) if cuda is not None and cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} CPU cores, {platform.machine()}, {gpu}"


def write_table() -> None:
    """Write the table of everything in `results/`."""
    lines = [_HEAD]
    for file in sorted(RESULTS.glob("*.json")):
        report = msgspec.json.decode(file.read_bytes(), type=Report)
        lines.append(
            f"## {report.title}\n\n{report.machine}, {_load(report)}{report.date}.\n\n"
            + ("| figure | value | target |\n|---|---|---|\n" if report.figures else "")
        )
        lines += [f"| {f.name} | {f.value:.3f} {f.unit} | {f.target} |\n" for f in report.figures]
        lines += ["\n" if report.notes else "", *(f"- {note}\n" for note in report.notes)]
        lines.append("\n")
    TABLE.write_text("".join(lines).rstrip() + "\n")


def _load(report: Report) -> str:
    return "" if report.load is None else f"load average {report.load:g}, "


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
