"""`atelier up`: the whole service on this machine until Ctrl-C."""

import signal
import threading
from pathlib import Path
from types import FrameType

import rich_click as click

from cli.embedded.server import ServerFailed
from cli.local.address import Address, AddressTaken
from cli.local.data_dir import DataDirectory, DataDirectoryBusy, DataDirectoryUnusable, data_option
from cli.stack.stack import Stack
from cli.stack.worker_gpus import GpuUnusable
from core.sandbox.kernel import hide_memory
from core.signals import deferred

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndingSignal:
    """The signals that end the command: the first sets `asked`, the second `hurry`.

    With `interrupt` the first signal also raises `KeyboardInterrupt`.
    """

    def __init__(self, hurry: threading.Event, *, interrupt: bool = False) -> None:
        self.asked = threading.Event()
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
        if self.asked.is_set():
            self._hurry.set()
        self.asked.set()


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address on which the API listens; 0.0.0.0 is every interface.",
)
@click.option("--port", default=8000, show_default=True, help="Port of the API.")
@data_option
def up(host: str, port: int, data: Path) -> None:
    """Start everything on this machine and keep it running until Ctrl-C.

    Starts PostgreSQL, Valkey, the API, one CPU worker, and one GPU worker per GPU, or one that computes on the CPU;
    outputs are stored in a folder. Every process ends with this command.
    """
    hide_memory()
    stack = Stack(DataDirectory(data), Address(host, port), print_status)
    ending = EndingSignal(stack.hurry)
    try:
        stack.start()
        ready = stack.await_ready(ended=ending.asked.is_set)
        if not ending.asked.is_set():
            if not ready:
                print_status(f"not every worker is ready yet; see {stack.data_directory.logs}, or run `atelier doctor`")
            _print_welcome(
                stack.address.url, stack.admin_key if stack.new_key else None, stack.data_directory.admin_key
            )
        ending.asked.wait()
        print_status("stopping; press Ctrl-C again to stop at once")
    except (AddressTaken, DataDirectoryBusy, DataDirectoryUnusable, GpuUnusable, ServerFailed, ValueError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        stack.stop()
    print_status("stopped")


def print_status(text: str) -> None:
    """Print what the command does to standard error."""
    click.echo(f"atelier: {text}", err=True)


def _print_welcome(url: str, new_key: str | None, key_file: Path) -> None:
    click.echo(f"Atelier is ready at {url} (API documentation: {url}/schema)")
    if new_key is not None:
        click.echo(f"Admin key, shown only now: {new_key}")
    click.echo(f"The admin key is in {key_file}. Try it in another terminal on this machine:")
    click.echo('  atelier generate image "a red circle on a blue background" -o circle.webp')
