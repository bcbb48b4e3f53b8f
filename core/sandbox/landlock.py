"""Landlock: the kernel refuses this process every file and folder but the ones that are named here.

Numbers and structures are those of linux/landlock.h. Each version of the kernel's interface can refuse more: 4 TCP
connections, 6 signals and abstract sockets of other processes. What a kernel does not know is not asked of it.
"""

import os
import struct
from collections.abc import Iterable

from core.sandbox.kernel import system_call

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION, PATH_BENEATH = 1, 1

WRITE_FILE, READ_FILE, READ_DIR, MAKE_REGULAR, TRUNCATE = (1 << bit for bit in (1, 2, 3, 8, 14))
FILES_BY_VERSION = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 5: 0xFFFF}
"""The rights on files that each version can refuse, from the one on that brought them."""
CONNECT_AND_BIND_SINCE, CONNECT_AND_BIND = 4, 0b11
SCOPES_SINCE, SCOPES = 6, 0b11


def landlock_version() -> int:
    """Return the version of the kernel's interface; 0 without Landlock."""
    try:
        return system_call(CREATE_RULESET, None, 0, VERSION)
    except (OSError, AttributeError):
        return 0


def restrict_files(writable: int, readable: Iterable[int]) -> int:
    """Leave this process only the folder `writable` and, for reading, those of `readable`, given as descriptors.

    Returns the version of Landlock, 0 where the kernel has none; no new privileges must be set. Raises `OSError`.
    """
    version = landlock_version()
    if version == 0:
        return 0
    files = max(rights for since, rights in FILES_BY_VERSION.items() if since <= version)
    network = CONNECT_AND_BIND if version >= CONNECT_AND_BIND_SINCE else 0
    scopes = SCOPES if version >= SCOPES_SINCE else 0
    attributes = struct.pack("=QQQ", files, network, scopes)
    rules = system_call(CREATE_RULESET, attributes, len(attributes), 0)
    try:
        _allow(rules, writable, files & (READ_FILE | WRITE_FILE | MAKE_REGULAR | TRUNCATE))
        for folder in readable:
            _allow(rules, folder, READ_FILE | READ_DIR)
        system_call(RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)
    return version


def _allow(rules: int, folder: int, rights: int) -> None:
    system_call(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", rights, folder), 0)
