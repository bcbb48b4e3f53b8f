"""`atelier demo`: one job of everything through a temporary service, and a page that shows them."""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import rich_click as click

from cli.commands.host.up import EndingSignal
from cli.demo.page import write_page
from cli.demo.run import DemoResult, DemoRun
from cli.demo.table import JOBS
from cli.embedded.server import ServerFailed
from cli.http.progress import job_bars
from cli.local.address import free_address
from cli.local.data_dir import DataDirectory
from cli.local.start_wait import StartInterrupted
from cli.output.durations import spell_seconds
from cli.output.status import StatusPrinter, status_console
from cli.output.tables import json_option, print_json, print_table
from cli.stack.stack import Stack


@click.command()
@click.option(
    "-o",
    "--out",
    default="out",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False, writable=True),
    help="Folder for the files and their page, index.html.",
)
@json_option
def demo(out: Path, as_json: bool) -> None:
    """Start everything in a temporary folder, make one of everything, stop everything.

    It writes index.html, which shows what was made, with the command of each. Where torch cannot use the GPU, the demo
    computes on the CPU and prints why. The exit status is 1 if a job has failed; the others are made and shown.
    """
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="atelier-demo-") as folder, StatusPrinter() as printer:
        stack = Stack(DataDirectory(Path(folder) / "data"), free_address(), printer.print_status, falls_back=True)
        EndingSignal(stack.ending, stack.hurry, interrupt=True)
        try:
            with stack:
                stack.start()
                if not stack.await_ready():
                    raise click.ClickException("the service did not start; see the messages above")
                bars_at = sys.stderr if as_json else sys.stdout
                with stack.client() as client, job_bars(status_console(bars_at)) as bars:
                    results = DemoRun(client, JOBS, out, bars).run()
        except StartInterrupted:
            raise KeyboardInterrupt from None
        except (ServerFailed, ValueError) as error:
            raise click.ClickException(str(error)) from None
    seconds = time.monotonic() - began
    page = write_page(out, results, seconds)
    _print(results, page, seconds, as_json=as_json)
    failed = [result for result in results if result.status == "failed"]
    if failed:
        reasons = "; ".join(f"{result.title!r}: {result.error}" for result in failed)
        raise click.ClickException(f"{len(failed)} of {len(results)} failed: {reasons}")


def _print(results: Sequence[DemoResult], page: Path, seconds: float, *, as_json: bool) -> None:
    if as_json:
        print_json({"page": str(page), "seconds": round(seconds, 1), "jobs": msgspec.to_builtins(results)})
        return
    print_table(
        ["job", "in queue", "computing", "file"],
        [
            [
                result.title,
                _spelled(result.queue_seconds),
                _spelled(result.seconds),
                page.parent / result.file if result.file else f"{result.status}: {result.error}",
            ]
            for result in results
        ],
    )
    click.echo(f"{page} shows them; {spell_seconds(seconds)} in all.")


def _spelled(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"
