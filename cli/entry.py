"""The start of the program `atelier`: it imports nothing of its own before Ctrl-C has its handler."""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; a Ctrl-C before or after its command ends the process at once, without a traceback."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell's background job ignores it
    if is_heard:
        signal.signal(signal.SIGINT, _exit_at_once)
    try:
        from cli.main import atelier

        atelier()
    except KeyboardInterrupt:  # while an error was shown
        sys.exit(128 + signal.SIGINT)
    finally:
        if is_heard:
            signal.signal(signal.SIGINT, _exit_at_once)


def imports_are_done() -> None:
    """Have a Ctrl-C raise `KeyboardInterrupt` from now on: a command that runs ends by it."""
    if signal.getsignal(signal.SIGINT) is _exit_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


if __name__ == "__main__":
    main()
