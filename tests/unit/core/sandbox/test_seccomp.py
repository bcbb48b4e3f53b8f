"""The filter, run by an interpreter of its steps: what it answers to calls by their numbers."""

import struct

import pytest

from core.sandbox import seccomp
from core.sandbox.seccomp import ALLOW, ARCHITECTURES, CALLS, FAIL, KILL, OLD_CALLS, filter_program, restrict_calls

ENOSYS = FAIL | 38
REFUSED = {
    "socket": (41, 198),
    "connect": (42, 203),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "bind": (49, 200),
    "socketpair": (53, 199),
    "clone": (56, 220),
    "execve": (59, 221),
    "kill": (62, 129),
    "ptrace": (101, 117),
    "setuid": (105, 146),
    "prctl": (157, 167),
    "setrlimit": (160, 164),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "symlinkat": (266, 36),
    "linkat": (265, 37),
    "renameat": (264, 38),
    "unlinkat": (263, 35),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "seccomp": (317, 277),
    "memfd_create": (319, 279),
    "execveat": (322, 281),
    "io_uring_setup": (425, 425),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "pidfd_getfd": (438, 438),
    "setitimer": (38, 103),
    "ioctl": (16, 29),
}
I386 = 0x40000003


def answer(machine, number, *arguments, architecture=None):
    """What the filter answers; the steps are those of classic BPF."""
    steps = list(struct.iter_unpack("=HBBI", filter_program(machine)))
    data = struct.pack("=II", number, architecture or ARCHITECTURES[machine]) + bytes(8)
    data += struct.pack("=6Q", *arguments, *[0] * (6 - len(arguments)))
    place, loaded = 0, 0
    while True:
        code, when, otherwise, value = steps[place]
        place += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("=I", data, value)
        elif code == 0x15:
            place += when if loaded == value else otherwise
        else:
            assert code == 0x06
            return value


@pytest.fixture(params=list(ARCHITECTURES))
def machine(request):
    return request.param


def test_listed_calls_are_allowed(machine):
    column = list(ARCHITECTURES).index(machine)
    for name, numbers in CALLS.items():
        arguments = (0, 1) if name == "fcntl" else ()
        assert ALLOW == answer(machine, numbers[column], *arguments), name


@pytest.mark.parametrize("name", REFUSED)
def test_dangerous_calls_fail_as_unknown(machine, name):
    assert ENOSYS == answer(machine, REFUSED[name][list(ARCHITECTURES).index(machine)])


def test_calls_that_no_kernel_has_yet_fail_as_unknown(machine):
    assert {ENOSYS} == {answer(machine, number) for number in (500, 9999, 2**31, 2**32 - 1)}


def test_old_calls_are_those_of_x86_only():
    assert {ALLOW} == {answer("x86_64", number) for number in OLD_CALLS.values()}
    assert ENOSYS == answer("aarch64", 6)


def test_calls_of_another_architecture_end_the_process(machine):
    assert {KILL} == {answer(machine, number, architecture=I386) for number in (0, 1, 63)}


def test_the_second_table_of_x86_is_closed():
    """With bit 30 a number is one of x32, which has its own connect and execve."""
    assert {ENOSYS} == {answer("x86_64", number | 1 << 30) for number in (0, 1, 59, 520)}


@pytest.mark.parametrize(
    ("command", "allowed"),
    [(1, True), (2, True), (3, True), (1030, True), (0, False), (4, False), (8, False), (10, False)],
)
def test_fcntl_sends_no_signals(machine, command, allowed):
    """F_SETOWN (8) and F_SETSIG (10) would, to other processes of the account."""
    number = CALLS["fcntl"][list(ARCHITECTURES).index(machine)]
    assert (ALLOW if allowed else ENOSYS) == answer(machine, number, 3, command)


def test_an_unknown_architecture_is_left_alone(monkeypatch):
    monkeypatch.setattr(seccomp.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(seccomp, "prctl", lambda *_: pytest.fail("a filter was installed"))
    assert restrict_calls() is False
