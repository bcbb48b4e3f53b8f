"""`atelier logs`: the logs of the `atelier up` on this machine."""

from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from cli.local.data_dir import DataDirectory, data_option
from cli.local.log_files import log_files, read_lines
from cli.output.interrupts import set_by_signals
from cli.output.status import print_line

POLL_SECONDS = 0.2


@click.command()
@click.argument("processes", nargs=-1, metavar="[PROCESS]...")
@click.option("-n", "--lines", default=20, show_default=True, type=click.IntRange(0), help="Last lines of each.")
@click.option("-f", "--follow", is_flag=True, help="Go on printing what comes, until Ctrl-C.")
@click.option("--job", "job_id", help="Only lines about this job, of the whole log.")
@data_option
def logs(processes: tuple[str, ...], lines: int, follow: bool, job_id: str | None, data: Path) -> None:
    """Print the logs of the `atelier up` on this machine.

    A process is the name of its log: api, worker-cpu, worker-local or worker-gpu0, postgres, valkey; default: all.
    """
    files = log_files(DataDirectory(data))
    chosen = {name: files[name] for name in processes if name in files} if processes else files
    unknown = [name for name in processes if name not in files]
    if unknown or not files:
        there = f"there are {', '.join(files)}" if files else f"no `atelier up` has run on {data}"
        raise click.UsageError(f"no log of {', '.join(unknown) or 'any process'}; {there}")
    places = dict[str, int]()
    for name, file in chosen.items():
        text, places[name] = read_lines(file, 0)
        of_job = [line for line in text if job_id is None or job_id in line]
        _print(name, of_job if job_id else of_job[len(of_job) - min(lines, len(of_job)) :], len(chosen))
    if follow:
        _follow(chosen, places, job_id)


def _follow(files: dict[str, Path], places: dict[str, int], job_id: str | None) -> None:
    with set_by_signals() as stop:
        while not stop.wait(POLL_SECONDS):
            for name, file in files.items():
                text, places[name] = read_lines(file, places[name])
                _print(name, [line for line in text if job_id is None or job_id in line], len(files))


def _print(name: str, lines: Sequence[str], number: int) -> None:
    for line in lines:
        print_line(f"{name}: {line}" if number > 1 else line)
