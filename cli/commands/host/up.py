"""`atelier up`: the whole service on this machine until Ctrl-C."""

import shlex
import signal
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType

import rich_click as click

from cli.embedded.server import ServerFailed
from cli.local.address import Address, AddressTaken
from cli.local.data_dir import DataDirectory, DataDirectoryBusy, DataDirectoryUnusable, data_option
from cli.local.program import program
from cli.local.start_wait import StartInterrupted
from cli.output.durations import FOREVER, format_duration
from cli.output.sizes import format_stored
from cli.output.status import StatusPrinter
from cli.stack.stack import Stack
from cli.stack.worker_gpus import GpuUnusable
from core.sandbox.kernel import hide_memory
from core.settings import read_settings
from core.signals import deferred

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

DEVELOPMENT = "development mode: callbacks, webhooks and inputs may lead to this machine's loopback"
OPEN_TO_OTHERS = (
    "warning: with --dev and --host {host} other machines reach this API, and each caller with a key reaches what"
    " listens on this machine alone: databases, metadata services, tools. Leave one of the two out unless"
    " the network is yours"
)


class EndingSignal:
    """The signals that end the command: the first sets the event `asked`, the second `hurry`.

    With `interrupt` the first signal also raises `KeyboardInterrupt`.
    """

    def __init__(self, asked: threading.Event, hurry: threading.Event, *, interrupt: bool = False) -> None:
        self._asked = asked
        self._hurry = hurry
        self._interrupt = interrupt
        self._received = 0
        self._set_events = deferred(self._set, "signals")
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._received += 1
        self._set_events()
        if self._interrupt and self._received == 1:
            raise KeyboardInterrupt

    def _set(self) -> None:
        if self._asked.is_set():
            self._hurry.set()
        self._asked.set()


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address on which the API listens; 0.0.0.0 is every interface of IPv4, :: of IPv6 and IPv4.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port of the API.")
@click.option("--dev", is_flag=True, help="Let callbacks, webhooks and inputs lead to this machine's loopback.")
@data_option
def up(host: str, port: int, dev: bool, data: Path) -> None:
    """Start everything on this machine and keep it running until Ctrl-C.

    Starts PostgreSQL, Valkey, the API, one CPU worker, and one GPU worker per GPU, or one that computes on the CPU;
    outputs are stored in a folder. Every process ends with this command. With --dev a caller with a key reaches what
    listens on this machine alone.
    """
    hide_memory()
    with StatusPrinter() as printer:
        stack = Stack(DataDirectory(data), Address(host, port), printer.print_status, opens_loopback=dev)
        EndingSignal(stack.ending, stack.hurry)
        if dev:
            printer.print_status(exposure(stack.address, opens_loopback=dev) or DEVELOPMENT)
        try:
            with suppress(StartInterrupted):
                stack.start()
                ready = stack.await_ready()
                if not stack.ending.is_set():
                    _print_welcome(printer, stack, is_ready=ready)
                stack.ending.wait()
            printer.print_status("stopping; press Ctrl-C again to stop at once")
        except (AddressTaken, DataDirectoryBusy, DataDirectoryUnusable, GpuUnusable, ServerFailed, ValueError) as error:
            raise click.ClickException(str(error)) from None
        finally:
            stack.stop()
        printer.print_status("stopped")


def exposure(address: Address, *, opens_loopback: bool) -> str:
    """Return a warning where callers on other machines could reach this machine's loopback; else an empty text."""
    return OPEN_TO_OTHERS.format(host=address.host) if opens_loopback and not address.is_loopback else ""


def _print_welcome(printer: StatusPrinter, stack: Stack, *, is_ready: bool) -> None:
    url, directory = stack.address.url, stack.data_directory
    stored = stack.stored() if is_ready else None
    if not is_ready:
        printer.print_status(f"the API or a worker is still starting; see {directory.logs}, or run `atelier doctor`")
    state = "is ready" if is_ready else "is going to be"
    pages = [f"console: {url}/console"] if read_settings().console else []
    printer.print_result(f"Atelier {state} at {url} ({', '.join([*pages, f'API documentation: {url}/schema'])})")
    shown = f": {stack.admin_key}" if stack.new_key else ""
    printer.print_result(f"The admin key is kept in {directory.admin_key}{shown}")
    printer.print_result("Try it in another terminal on this machine:")
    name, where = program(), "" if directory.is_default else f" --data {shlex.quote(str(directory.folder))}"
    printer.print_result(f'  {name} generate image "a red circle on a blue background" -o circle.webp{where}')
    printer.print_result(
        f"Logs are in {directory.logs}, and `{name} logs{where}` prints them; `{name} retention{where}` shows how"
        " long jobs and their files are kept."
    )
    if stored is not None:
        printer.print_result(f"Kept in {directory.folder}: {format_stored(stored)}. {_kept_for()}")


def _kept_for() -> str:
    """Return how long outputs and prompts are kept, where a tenant has no periods of its own."""
    settings = read_settings()
    outputs, prompts = map(format_duration, (settings.output_keep_seconds, settings.prompt_keep_seconds))
    if outputs == prompts == FOREVER:
        return "Outputs and prompts stay until they are deleted."
    return f"Outputs are kept {outputs}, prompts {prompts}."
