"""Child processes that cannot outlive their parent, even after its `kill -9`.

Linux sends a child the signal it asked for with PR_SET_PDEATHSIG when its parent dies.
Three traps and their answers:

- The signal comes when the *thread* that started the child ends. So one daemon thread, which ends only
  with the process, starts every child; `spawn` may be called from any thread.
- Changing credentials clears the request, and the parent may die before it is made. So it is made last,
  in the child, which then checks that its parent is still the one that started it.
- Running Python between fork and exec (`preexec_fn`) can deadlock in a process with threads. So this file
  is also the small program that runs in the child and then becomes the real one: same pid, about 20 ms.

Elsewhere than on Linux the children start in the same way and the death signal is left out.
"""

import ctypes
import os
import pwd
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

Stream = int | IO[bytes] | None
Process = subprocess.Popen[bytes]

KILL_SECONDS = 30.0
"""How long a process may take to end after SIGKILL. One in a driver's call that does not return does not end at all."""

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS, NO_SETUID_FIXUP = 28, 1 << 2  # so that access(2), which PostgreSQL asks, sees the capability too
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION_3 = 0x20080522


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    name: str,
    user: str | None = None,
    cwd: str | Path | None = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    death_signal: int = signal.SIGKILL,
    pass_fds: Collection[int] = (),
) -> Process:
    """Start `argv` with exactly the environment `env`; it gets `death_signal` when this process dies.

    The child leads a session of its own, so Ctrl-C at the terminal reaches only the parent. `user` is the account
    to run as, for root only: where that account could not reach an absolute path in `argv` (a checkout under
    /root), it keeps the one capability of root that opens such paths. Raises `FileNotFoundError` with `name` when
    the program does not exist.
    """
    program = shutil.which(argv[0], path=env.get("PATH", os.defpath))
    if program is None:
        raise FileNotFoundError(f"cannot start {name}: the program {argv[0]!r} does not exist")
    starter = [sys.executable, "-I", "-S", __file__]
    arguments = [str(os.getpid()), str(int(death_signal)), user or "", env.get("LC_CTYPE", ""), program]

    def start() -> Process:
        return subprocess.Popen(
            [*starter, *arguments, *argv[1:]],
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )

    return _starter().submit(start)


def stop(process: Process, grace_seconds: float, request: int = signal.SIGTERM) -> int | None:
    """Send `request`, wait `grace_seconds`, then SIGKILL its whole group.

    Returns the exit status; None where it cannot be killed.
    """
    process.send_signal(request)
    try:
        return process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return await_killed(process)


def await_killed(process: Process) -> int | None:
    """Wait for a process that has SIGKILL; returns its exit status, None where it stays for `KILL_SECONDS`."""
    try:
        return process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def die_with_parent() -> None:
    """Make the kernel end this forked process when the thread that forked it ends."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class _Starter:
    """The thread that starts every child and ends with the process."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Process], Future[Process]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="children", daemon=True).start()

    def submit(self, start: Callable[[], Process]) -> Process:
        future: Future[Process] = Future()
        self._work.put((start, future))
        return future.result()

    def _run(self) -> None:
        while True:
            start, future = self._work.get()
            try:
                future.set_result(start())
            except BaseException as error:
                future.set_exception(error)


@cache
def _starter() -> _Starter:
    return _Starter()


# A forked copy of this process has no such thread; it starts its own when it needs one.
os.register_at_fork(after_in_child=_starter.cache_clear)


def _become(parent: int, death_signal: int, user: str, keep_ctype: str, argv: list[str]) -> NoReturn:
    """Change user, bind the process to its parent's life and execute `argv`, in the child."""
    if user:
        _change_user(pwd.getpwnam(user), argv)
    if sys.platform == "linux" and not _prctl(PR_SET_PDEATHSIG, death_signal):
        sys.exit(f"the kernel refused death signal {death_signal}")
    if os.getppid() != parent:
        sys.exit("the parent died first")
    # The program would inherit what Python did for itself: two ignored signals, LC_CTYPE in a C locale. So would a
    # signal mask of the parent's thread.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if not keep_ctype:
        os.environ.pop("LC_CTYPE", None)
    os.execv(argv[0], argv)


def _change_user(account: pwd.struct_passwd, argv: Sequence[str]) -> None:
    linux = sys.platform == "linux"
    if linux and not _prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP):
        _prctl(PR_SET_KEEPCAPS, 1)
    os.initgroups(account.pw_name, account.pw_gid)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    if not linux:
        return
    # The first is the weaker of the two, but containers usually have only the second.
    capability = next((one for one in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if _limit_to(one, effective=False)), None)
    if capability is None:
        return
    if any(word.startswith("/") and not os.access(word, os.F_OK) for word in argv):
        _limit_to(capability, effective=True)
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
    else:
        _limit_to(None, effective=False)


def _limit_to(capability: int | None, *, effective: bool) -> bool:
    """Give up every other capability for good; return False if this process does not have this one."""
    bit = 0 if capability is None else 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    permitted, inheritable = bit, bit
    low = (bit if effective else 0, permitted, inheritable)
    sets = (ctypes.c_uint32 * 6)(*low)  # the other three are for bits above 31
    return bool(ctypes.CDLL(None).capset(header, sets) == 0)


def _prctl(*arguments: int) -> bool:
    words = [ctypes.c_ulong(word) for word in (*arguments, 0, 0, 0, 0)[:5]]
    return bool(ctypes.CDLL(None).prctl(*words) == 0)


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5:])
