"""A logger that appears while pytest looks through them all."""

import logging

import pytest
from _pytest.logging import catching_logs


class Adding(logging.Logger):
    """Adds another logger when it is looked at, as another thread might at that moment."""

    @property
    def propagate(self) -> bool:
        logging.getLogger("tests.added")
        return True

    @propagate.setter
    def propagate(self, value: bool) -> None: ...


def test_a_logger_may_appear_while_a_phase_begins(monkeypatch: pytest.MonkeyPatch):
    loggers = logging.root.manager.loggerDict
    monkeypatch.setitem(loggers, "tests.adding", Adding("tests.adding"))
    loggers.pop("tests.added", None)
    with catching_logs(logging.NullHandler()):
        assert "tests.added" in loggers
    del loggers["tests.added"]
