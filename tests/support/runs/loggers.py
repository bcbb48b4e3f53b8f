"""The loggers of this process, which can be looked through while another thread adds one.

pytest looks through all of them, without logging's lock, as each phase of a test begins. An API in a thread of the
tests adds one whenever it first imports a module that has one; "dictionary changed size during iteration" was the end
of that phase.
"""

import logging
from typing import Any


class _Loggers(dict[str, Any]):
    def values(self) -> list[Any]:  # type: ignore[override]
        """Return those that are there now; one step, in which no other thread runs."""
        return list(super().values())


def let_them_grow() -> None:
    """Have the loggers of this process bear with new ones while they are looked through."""
    manager = logging.root.manager
    manager.loggerDict = _Loggers(manager.loggerDict)
