"""Seccomp: the kernel refuses this process every system call but the ones that decoding takes.

The filter is a program of classic BPF (linux/filter.h) over `struct seccomp_data`. A call that is not listed fails
with ENOSYS, on which a C library falls back to an older call; one of another architecture ends the process.
"""

import ctypes
import platform
import struct

from core.sandbox.kernel import prctl

PR_SET_SECCOMP, MODE_FILTER = 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, ARCHITECTURE_AT, SECOND_ARGUMENT_AT = 0, 4, 24
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
ENOSYS = 38

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_… of linux/audit.h by the name of the machine."""
CALLS: dict[str, tuple[int, int]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "dup": (32, 23),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "uname": (63, 160),
    "fcntl": (72, 25),
    "ftruncate": (77, 46),
    "getcwd": (79, 17),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "getdents64": (217, 61),
    "restart_syscall": (219, 128),
    "fadvise64": (221, 223),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "openat": (257, 56),
    "newfstatat": (262, 79),
    "readlinkat": (267, 78),
    "faccessat": (269, 48),
    "getrandom": (318, 278),
    "statx": (332, 291),
    "rseq": (334, 293),
    "faccessat2": (439, 439),
}
"""Numbers of the calls that are allowed, on x86_64 and on aarch64."""
OLD_CALLS = {"open": 2, "stat": 4, "lstat": 6, "access": 21, "readlink": 89}
"""Those that only x86_64 has; `openat` and its like do the same."""
FCNTL_COMMANDS = (1, 2, 3, 1030)
"""F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC; others send signals to other processes."""


def restrict_calls() -> bool:
    """Install the filter, for good; return False, and change nothing, where it is not known for this architecture.

    No new privileges must be set. Raises `OSError` where the kernel refuses it.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return False
    program = filter_program(machine)
    steps = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog, with the alignment of its pointer
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(steps)))
    prctl(PR_SET_SECCOMP, MODE_FILTER, header)
    return True


def filter_program(machine: str) -> bytes:
    """Return the filter for `x86_64` or `aarch64`, 8 bytes a step."""
    column = list(ARCHITECTURES).index(machine)
    numbers = {name: both[column] for name, both in CALLS.items()} | (OLD_CALLS if machine == "x86_64" else {})
    commands = [step for command in FCNTL_COMMANDS for step in (_unless(command, skip=1), _end(ALLOW))]
    refuse = _end(FAIL | ENOSYS)
    steps = [
        _load(ARCHITECTURE_AT),
        _when(ARCHITECTURES[machine], skip=1),
        _end(KILL),
        _load(NUMBER_AT),
        _unless(numbers.pop("fcntl"), skip=len(commands) + 2),
        _load(SECOND_ARGUMENT_AT),
        *commands,
        refuse,
    ]
    for number in numbers.values():
        steps += [_unless(number, skip=1), _end(ALLOW)]
    return b"".join([*steps, refuse])


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", LOAD, 0, 0, offset)


def _when(value: int, *, skip: int) -> bytes:
    """Skip so many steps if the loaded word is `value`."""
    return struct.pack("=HBBI", EQUAL, skip, 0, value)


def _unless(value: int, *, skip: int) -> bytes:
    """Skip so many steps if the loaded word is not `value`."""
    return struct.pack("=HBBI", EQUAL, 0, skip, value)


def _end(action: int) -> bytes:
    return struct.pack("=HBBI", RETURN, 0, 0, action)
