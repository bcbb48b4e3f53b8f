"""Children die with their parent, whichever thread started them and whatever ended it."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.processes import spawn, stop
from tests.support.service.processes import alive, descendants
from tests.support.wait import until

ENV = {"PATH": os.environ["PATH"]}
FOREVER = ["sleep", "1000"]

PARENT = """
import sys
from core.processes import spawn
child = spawn(["sleep", "1000"], env={"PATH": "/usr/bin:/bin"}, name="sleep", death_signal=int(sys.argv[1]))
print(child.pid, flush=True)
sys.stdin.read()
"""

GRANDPARENT = f"""
import sys
from core.processes import spawn
child = spawn([sys.executable, "-c", {PARENT!r}, "9"], env={{}}, name="parent", stdin=0, stdout=1)
child.wait()
"""


def start(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def status(pid: int, field: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return line.partition(":")[2].strip()
    raise AssertionError(f"no {field} in the status of {pid}")


def becomes(process: subprocess.Popen[bytes], program: str) -> None:
    """Wait until the starter has become the real program."""
    comm = Path(f"/proc/{process.pid}/comm")
    until(lambda: comm.read_text().strip() == program, what=f"{program} to start")


@pytest.fixture
def sleeper():
    child = spawn(FOREVER, env=ENV, name="sleep")
    becomes(child, "sleep")
    yield child
    child.kill()
    child.wait()


def test_kill_9_of_the_parent_takes_the_child_along():
    parent = start(PARENT, "9")
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.kill()
    parent.wait()
    until(lambda: not alive(child), what="the child to die")


def test_kill_9_of_the_grandparent_takes_everything_along():
    grandparent = start(GRANDPARENT)
    grandchild = int(grandparent.stdout.readline())
    family = descendants(grandparent.pid)
    assert grandchild in family
    assert 2 == len(family)
    grandparent.kill()
    grandparent.wait()
    until(lambda: not any(map(alive, family)), what="the family to die")


def test_the_end_of_the_calling_thread_spares_the_child():
    started = []
    thread = threading.Thread(target=lambda: started.append(spawn(FOREVER, env=ENV, name="sleep")))
    thread.start()
    thread.join()
    (child,) = started
    becomes(child, "sleep")
    assert child.poll() is None
    assert -signal.SIGTERM == stop(child, 5)


def test_a_child_whose_parent_died_first_does_not_start(tmp_path):
    mark = tmp_path / "started"
    starter = [sys.executable, "-I", "-S", sys.modules["core.processes"].__file__]
    nobody_we_descend_from = "999999"
    orders = [nobody_we_descend_from, "9", "", "", "/usr/bin/touch", str(mark)]
    outcome = subprocess.run([*starter, *orders], check=False)
    assert 1 == outcome.returncode
    assert not mark.exists()


def test_the_child_keeps_its_pid_and_leads_its_own_session(sleeper):
    assert sleeper.pid == os.getsid(sleeper.pid) == os.getpgid(sleeper.pid)
    assert os.getpid() == int(status(sleeper.pid, "PPid"))


def test_the_child_inherits_ignored_signals_but_no_mask(sleeper):
    """`nohup` is passed on; what Python ignores for itself is not."""
    pythons_own = sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ))
    assert int(status(os.getpid(), "SigIgn"), 16) & ~pythons_own == int(status(sleeper.pid, "SigIgn"), 16)
    assert 0 == int(status(sleeper.pid, "SigBlk"), 16)


def test_the_environment_is_exactly_what_was_given():
    child = spawn(["env"], env={**ENV, "ONLY": "this"}, name="env", stdout=subprocess.PIPE)
    output, _ = child.communicate()
    assert {f"PATH={ENV['PATH']}", "ONLY=this"} == set(output.decode().split("\n")) - {""}


def test_passed_descriptors_reach_the_program():
    reader, writer = os.pipe()
    child = spawn(["bash", "-c", f"echo hello >&{writer}"], env=ENV, name="bash", pass_fds=[writer])
    os.close(writer)
    assert 0 == child.wait()
    with open(reader) as stream:
        assert "hello\n" == stream.read()


def test_an_unknown_program_is_an_error_here_and_now():
    with pytest.raises(FileNotFoundError, match="cannot start the encoder: the program 'no-such-thing' does not exist"):
        spawn(["no-such-thing"], env=ENV, name="the encoder")


def test_stop_terminates(sleeper):
    assert -signal.SIGTERM == stop(sleeper, 5)


def test_stop_kills_the_group_of_a_child_that_ignores_it():
    script = "trap '' TERM; sleep 1000 & echo $!; wait"
    child = spawn(["sh", "-c", script], env=ENV, name="sh", stdout=subprocess.PIPE)
    grandchild = int(child.stdout.readline())
    assert -signal.SIGKILL == stop(child, 0.1)
    until(lambda: not alive(grandchild), what="the grandchild to die")
    child.stdout.close()


def test_children_can_be_started_after_a_fork():
    spawn(["true"], env=ENV, name="true").wait()
    pid = os.fork()
    if pid == 0:
        os._exit(spawn(["true"], env=ENV, name="true").wait(10))
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")
class TestAsAnotherUser:
    def capabilities(self, *words: str) -> set[int]:
        """What the child may do, may come to do and may hand on; the same number when it is one set."""
        script = "grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status"
        child = spawn(["sh", "-c", script, *words], env=ENV, name="sh", user="daemon", stdout=subprocess.PIPE)
        output, _ = child.communicate()
        return {int(line.split()[1], 16) for line in output.splitlines()}

    def test_the_user_is_changed_and_the_death_signal_is_kept(self):
        script = PARENT.replace('name="sleep"', 'name="sleep", user="daemon"')
        parent = start(script, "15")
        child = int(parent.stdout.readline())
        until(lambda: status(child, "Uid").split()[0] != "0", what="the user to change")
        until(lambda: status(child, "Name") == "sleep", what="sleep to start")
        parent.kill()
        parent.wait()
        until(lambda: not alive(child), what="the child to die")

    def test_no_capability_is_kept_when_every_path_is_in_reach(self):
        assert {0} == self.capabilities("/usr/bin/env")

    def test_one_capability_is_kept_for_a_path_out_of_reach(self, closed):
        (kept,) = self.capabilities(str(closed))
        assert 1 == kept.bit_count()

    def test_a_program_out_of_reach_runs_and_passes_access(self, closed):
        """PostgreSQL asks access(2) of its own programs, as the real user."""
        script = f"test -r {closed} && test -x {closed} && {closed} -c 'exit 7'"
        child = spawn([str(closed), "-c", script], env=ENV, name="sh", user="daemon")
        assert 7 == child.wait()

    @pytest.fixture
    def closed(self, tmp_path):
        """A copy of sh in a folder that only root may enter."""
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o700)
        return Path(shutil.copy("/bin/sh", folder / "sh"))
