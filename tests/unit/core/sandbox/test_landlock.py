"""What is asked of each version of Landlock, and what comes of a kernel without it."""

import os
import struct

import pytest

from core.sandbox import landlock
from core.sandbox.landlock import landlock_version, restrict_files


@pytest.fixture
def calls(monkeypatch):
    """The system calls, with a kernel of this version."""

    def of(version):
        made = []

        def system_call(number, *arguments):
            made.append((number, *arguments))
            if arguments == (None, 0, 1):
                return version
            return os.open("/dev/null", os.O_RDONLY) if number == 444 else 0

        monkeypatch.setattr(landlock, "system_call", system_call)
        return made

    return of


@pytest.mark.parametrize(
    ("version", "files", "network", "scopes"),
    [(1, 0x1FFF, 0, 0), (2, 0x3FFF, 0, 0), (3, 0x7FFF, 0, 0), (4, 0x7FFF, 3, 0), (5, 0xFFFF, 3, 0), (6, 0xFFFF, 3, 3)],
)
def test_all_that_a_version_can_refuse_is_refused(calls, version, files, network, scopes):
    made = calls(version)
    assert version == restrict_files(5, [6, 7])
    create, *rules, restrict = made[1:]
    assert (444, struct.pack("=QQQ", files, network, scopes), 24, 0) == create
    assert [5, 6, 7] == [struct.unpack("=Qi", rule[3])[1] for rule in rules]
    assert 446 == restrict[0]


@pytest.mark.parametrize(("version", "expected"), [(1, 0b1_0000_0110), (3, 0b100_0001_0000_0110)])
def test_the_folder_is_written_and_the_others_only_read(calls, version, expected):
    made = calls(version)
    restrict_files(5, [6])
    allowed = [struct.unpack("=Qi", call[3])[0] for call in made if call[0] == 445]
    assert [expected, 0b1100] == allowed


def test_newer_versions_are_taken_for_the_newest_known(calls):
    made = calls(99)
    assert 99 == restrict_files(5, [])
    assert struct.pack("=QQQ", 0xFFFF, 3, 3) == made[1][1]


@pytest.mark.parametrize("error", [OSError(95, "Operation not supported"), OSError(38, "no such call")])
def test_a_kernel_without_it_restricts_nothing(monkeypatch, error):
    def system_call(*_):
        raise error

    monkeypatch.setattr(landlock, "system_call", system_call)
    assert 0 == landlock_version() == restrict_files(5, [6])
