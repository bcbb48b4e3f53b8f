"""What the fork server starts differs from what `core.processes.spawn` starts in nothing that a test could see."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.service.fork_server import fork_server
from tests.support.service.processes import alive, command_of
from tests.support.wait import until

ENV = {"PATH": "/usr/bin:/bin", "ONLY": "this"}


@pytest.fixture(scope="module")
def server():
    """A server that has imported no more than it needs itself."""
    return fork_server(("string",))


def output_of(server, code, *arguments, **how):
    started = server.spawn(
        [sys.executable, "-c", code, *arguments],
        env=ENV,
        name="it",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **how,
    )
    said, _ = started.communicate(timeout=20)
    return started.returncode, said.decode()


def test_fork_has_its_words_environment_and_folder(server, tmp_path):
    code = "import os, sys; print(*sys.argv, dict(os.environ), os.getcwd(), sep='|')"
    assert (0, f"-c|a|b|{ENV}|{tmp_path}\n") == output_of(server, code, "a", "b", cwd=tmp_path)


def test_fork_is_our_child_in_a_session_of_its_own(server):
    code = "import os; print(os.getppid(), os.getsid(0) == os.getpid())"
    assert (0, f"{os.getpid()} True\n") == output_of(server, code)


def test_fork_has_one_thread_and_our_descriptors_only(server):
    reader, writer = os.pipe()
    is_open = "[n for n in range(3, 500) if os.path.exists(f'/dev/fd/{n}')]"
    code = f"import os; print(len(os.listdir('/proc/self/task')), {is_open})"
    assert (0, f"1 [{writer}]\n") == output_of(server, code, pass_fds=[writer])
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("code", "status"), [("pass", 0), ("raise SystemExit(7)", 7), ("import os; os._exit(9)", 9), ("1 / 0", 1)]
)
def test_exit_code_is_that_of_the_program(server, code, status):
    assert status == output_of(server, code)[0]


def test_modules_run_as_the_main_module(server):
    started = server.spawn(
        [sys.executable, "-m", "tests.support.service.fork_server"], env=ENV, name="it", stderr=subprocess.PIPE
    )
    _, said = started.communicate(timeout=20)
    assert 1 == started.returncode
    assert b"IndexError" in said


def test_fork_shows_its_command_and_can_be_killed(server):
    started = server.spawn([sys.executable, "-c", "import time; time.sleep(1000)"], env=ENV, name="it")
    assert "time.sleep(1000)" in command_of(started.pid)
    started.kill()
    assert -signal.SIGKILL == started.wait(20)


def test_forks_die_with_the_process_that_asked_for_them():
    code = """
import sys, time
from tests.support.service.fork_server import fork_server
started = fork_server(("string",)).spawn([sys.executable, "-c", "import time; time.sleep(1000)"], env={}, name="it")
print(started.pid, flush=True)
time.sleep(1000)
"""
    asking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    pid = int(asking.stdout.readline())
    assert alive(pid)
    asking.kill()
    asking.communicate()
    until(lambda: not alive(pid), what="the fork to die")
