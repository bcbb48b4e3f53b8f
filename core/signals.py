"""Signal handlers that set events and take locks: they do so in a thread of their own.

A handler interrupts the main thread anywhere, also while that holds the very lock which the handler would wait for.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue


def deferred(action: Callable[[], object], name: str) -> Callable[[], None]:
    """Return what a handler may call: each call has a thread of this name call `action` once."""
    asked = SimpleQueue[None]()  # its `put` may interrupt itself

    def serve() -> None:
        while True:
            asked.get()
            action()

    threading.Thread(target=serve, name=name, daemon=True).start()
    return lambda: asked.put(None)
