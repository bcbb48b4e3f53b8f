"""A sanitizer process whose decoder a file has taken over: it tries everything, and writes down what came of it.

`python -m tests.support.media.taken_over_decoder` starts a process with a secret, and a sanitizer whose decoder runs
`take_over` in place of the decoders; it prints what the decoder wrote.
"""

import ctypes
import errno
import json
import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from core.processes import spawn
from workers.ingest import sanitizer_process
from workers.ingest.sanitizer import Sanitizer
from workers.ingest.sanitizer_messages import SOURCE, SanitizeRequest, SanitizeResult

SECRET = "hunter2"
WORKER = (
    "from core.sandbox.kernel import hide_memory; hide_memory(); print('.', flush=True); import time; time.sleep(600)"
)
COLUMN = {"x86_64": 0, "aarch64": 1}[platform.machine()]
CALLS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "pidfd_open": (434, 434),
    "io_uring_setup": (425, 425),
    "unshare": (272, 97),
    "mount": (165, 40),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265),
    "prlimit64": (302, 261),
    "setitimer": (38, 103),
    "sendmsg": (46, 211),
    "clone3": (435, 435),
}


def outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except Exception as error:
        return type(error).__name__
    return "done"


def call(number: int, first: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number), ctypes.c_long(first), *[ctypes.c_long(0)] * 4) == -1:
        raise OSError(ctypes.get_errno(), "")


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def take_over(request: SanitizeRequest, folder: Path) -> SanitizeResult:
    """Try it all; the report is the clean copy."""
    target = json.loads((folder / SOURCE).read_text())
    worker = target["worker"]
    attempts: dict[str, Callable[[], object]] = {
        "the worker's environment": Path(f"/proc/{worker}/environ").read_bytes,
        "the worker's memory": partial(open, f"/proc/{worker}/mem", "rb"),
        "the parent's environment": Path(f"/proc/{target['parent']}/environ").read_bytes,
        "the list of processes": partial(os.listdir, "/proc"),
        "the secret key": Path(target["key"]).read_bytes,
        "the accounts": Path("/etc/passwd").read_bytes,
        "the folder above": partial(os.listdir, ".."),
        "a file above": partial(Path("../planted").write_text, "x"),
        "a temporary file": partial(tempfile.NamedTemporaryFile, dir="/tmp"),
        "a link to the key": partial(os.symlink, target["key"], "link"),
        "a TCP socket": socket.socket,
        "a Unix socket": partial(socket.socket, socket.AF_UNIX),
        "a pair of sockets": socket.socketpair,
        "another program": partial(os.execv, "/bin/true", ["true"]),
        "another process": fork,
        "a thread": threading.Thread(target=int).start,
        "a signal to the worker": partial(os.kill, worker, signal.SIGTERM),
        "a signal to the parent": partial(os.kill, target["parent"], signal.SIGKILL),
        "root": partial(os.setuid, 0),
        "more time": partial(resource.setrlimit, resource.RLIMIT_CPU, (900, 900)),
        "other rights": partial(os.chmod, SOURCE, 0o4777),
        **{name: partial(call, numbers[COLUMN], worker) for name, numbers in CALLS.items()},
    }
    report = {name: outcome(action) for name, action in attempts.items()}
    (folder / "clean.png").write_text(json.dumps(report))
    return SanitizeResult(media_type="image/png")


def main() -> None:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(Path.cwd()), "SECRET": SECRET}
    worker = spawn([sys.executable, "-c", WORKER], env=environment, name="worker", stdout=subprocess.PIPE)
    assert worker.stdout is not None
    worker.stdout.readline()
    with tempfile.TemporaryDirectory() as folder:
        key, inputs = Path(folder, "secret.key"), Path(folder, "inputs")
        key.write_text(SECRET)
        key.chmod(0o600)
        inputs.mkdir()
        (inputs / SOURCE).write_text(json.dumps({"worker": worker.pid, "parent": os.getpid(), "key": str(key)}))
        sanitizer = Sanitizer(__spec__.name)
        report = json.loads(sanitizer.clean("image", inputs, seconds=15.0, max_pixels=1).file.read_text())
        sanitizer.close()
    report["the worker, from outside"] = outcome(Path(f"/proc/{worker.pid}/environ").read_bytes)
    report["the worker lives"] = "done" if worker.poll() is None else "ended"
    worker.kill()
    worker.wait()
    print(json.dumps(report))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sanitizer_process.load_decoders()
        sanitizer_process.serve(socket.socket(fileno=int(sys.argv[1])), take_over)
    else:
        main()
