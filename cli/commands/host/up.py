"""`atelier up`: the whole service on this machine until Ctrl-C."""

import signal
import threading
from pathlib import Path
from types import FrameType

import rich_click as click

from cli.local.data_dir import data_option

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndingSignal:
    """Set by the first signal, which also interrupts if `interrupt`; the second one sets `hurry`."""

    def __init__(self, hurry: threading.Event, *, interrupt: bool = False) -> None:
        self.asked = threading.Event()
        self._hurry = hurry
        self._interrupt = interrupt
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self.asked.is_set():
            self._hurry.set()
            return
        self.asked.set()
        if self._interrupt:
            raise KeyboardInterrupt


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the API listens; 0.0.0.0 is everywhere.")
@click.option("--port", default=8000, show_default=True, help="Its port.")
@data_option
def up(host: str, port: int, data: Path) -> None:
    """Start everything on this machine and keep it running until Ctrl-C.

    That is PostgreSQL, Valkey, a folder for the pictures, the API, one CPU worker, and one GPU worker per GPU
    (or one on the CPU). All of it ends with this command.
    """
    from cli.embedded.server import ServerFailed
    from cli.local.address import Address, AddressTaken
    from cli.local.data_dir import DataDirectory, DataDirectoryBusy
    from cli.stack.stack import Stack

    stack = Stack(DataDirectory(data), Address(host, port), say)
    ending = EndingSignal(stack.hurry)
    try:
        stack.start()
        ready = stack.await_ready(ended=ending.asked.is_set)
        if not ending.asked.is_set():
            if not ready:
                say(f"not every worker is up yet; jobs wait. See {stack.home.logs}, or ask `atelier doctor`")
            _welcome(stack.address.url, stack.admin_key if stack.new_key else None, stack.home.admin_key)
        ending.asked.wait()
        say("stopping; press Ctrl-C again to hurry")
    except (AddressTaken, DataDirectoryBusy, ServerFailed, ValueError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        stack.stop()
    say("stopped")


def say(text: str) -> None:
    """Tell the person at the terminal what happens."""
    click.echo(f"atelier: {text}", err=True)


def _welcome(url: str, new_key: str | None, place: Path) -> None:
    click.echo(f"Atelier is ready at {url} (API documentation: {url}/schema)")
    if new_key is not None:
        click.echo(f"Admin key, shown this once: {new_key}")
    click.echo(f"The admin key is in {place}. Another terminal on this machine can now say:")
    click.echo('  atelier generate image "a red circle on a blue background" -o circle.webp')
