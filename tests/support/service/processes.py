"""What the process table says."""

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether `pid` runs; a zombie does not."""
    return _state(pid) not in ("", "Z", "X")


def descendants(pid: int) -> set[int]:
    """Every live process that `pid` started, directly or not."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            children.setdefault(_parent(int(entry.name)), []).append(int(entry.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return {child for child in found if alive(child)}


def command_of(pid: int) -> str:
    """The words that `pid` was started with, apart by NUL; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def belongs(pid: int, folder: Path) -> bool:
    """Whether the words or the variables that `pid` was started with name a folder; not when it is gone."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        variables = ""
    return str(folder) in variables + command_of(pid)


def peak_memory(pid: int) -> int:
    """The most bytes of memory that `pid` has had since `forget_peak`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def forget_peak(pid: int) -> None:
    """Begin to measure the peak anew, from what the process has now (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def seconds_of_processor(*pids: int) -> float:
    """Processor time that these processes have had, and children of theirs that have ended (proc(5), stat)."""
    return sum(int(ticks) for pid in pids for ticks in _fields(pid)[11:15]) / os.sysconf("SC_CLK_TCK")


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the state on; the name before it may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _state(pid: int) -> str:
    fields = _fields(pid)
    return fields[0] if fields else ""


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0
