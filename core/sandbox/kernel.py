"""Calls of the kernel that Python has no function for."""

import ctypes
import os

PR_SET_DUMPABLE = 4
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *arguments: int | ctypes.Array[ctypes.c_char]) -> None:
    """Change an attribute of this process (prctl(2)). Raises `OSError`."""
    words = [
        ctypes.c_ulong(word) if isinstance(word, int) else ctypes.c_void_p(ctypes.addressof(word))
        for word in (*arguments, 0, 0, 0, 0)[:4]
    ]
    _check(_libc.prctl(ctypes.c_ulong(option), *words))


def system_call(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call by its number, and return its result. Raises `OSError`."""
    return _check(_libc.syscall(ctypes.c_long(number), *map(_argument, arguments)))


def drop_capabilities() -> None:
    """Give up every capability of root for good. Raises `OSError`."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def hide_memory() -> None:
    """Keep other processes of this account out of the memory of this one, and out of its environment.

    For processes with secrets: no ptrace, no /proc/PID/environ, no core dump. A program that it executes starts
    without this.
    """
    try:
        prctl(PR_SET_DUMPABLE, 0)
    except (OSError, AttributeError):
        return  # not Linux


def _argument(value: int | bytes | None) -> ctypes.c_long | ctypes.c_char_p:
    return ctypes.c_long(value) if isinstance(value, int) else ctypes.c_char_p(value)


def _check(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
