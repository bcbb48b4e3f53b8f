"""The memory of processes with secrets is hidden, first of all that they do."""

import subprocess
import sys

import pytest

import api.serve
import cli.commands.host.up
import workers.cpu.main
import workers.gpu.main

HIDE = """
import ctypes
from core.sandbox.kernel import hide_memory
before = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
hide_memory()
print(before, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_a_process_hides_its_memory():
    output = subprocess.run([sys.executable, "-c", HIDE], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "1 0" == output.strip()


class Hidden(BaseException):
    """The memory is hidden."""


@pytest.mark.parametrize(
    ("module", "run"),
    [
        (api.serve, lambda: api.serve.main("127.0.0.1", 0)),
        (workers.cpu.main, workers.cpu.main.main),
        (workers.gpu.main, workers.gpu.main.main),
        (cli.commands.host.up, lambda: cli.commands.host.up.up.callback("127.0.0.1", 0, dev=False, data=None)),
    ],
    ids=["API", "CPU worker", "GPU worker", "up"],
)
def test_processes_with_secrets_hide_theirs_first(monkeypatch, module, run):
    def hide():
        raise Hidden

    monkeypatch.setattr(module, "hide_memory", hide)
    with pytest.raises(Hidden):
        run()
