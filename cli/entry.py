"""The start of the program `atelier`: it imports nothing of its own before Ctrl-C has its handler."""

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line; a Ctrl-C during its imports ends the process at once, without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background job ignores it
        signal.signal(signal.SIGINT, _exit_at_once)
    from cli.main import atelier

    atelier()


def imports_are_done() -> None:
    """Have a Ctrl-C raise `KeyboardInterrupt` from now on: a command that runs ends by it."""
    if signal.getsignal(signal.SIGINT) is _exit_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


if __name__ == "__main__":
    main()
