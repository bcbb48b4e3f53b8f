"""The logs of the processes of an `atelier up`."""

from collections.abc import Iterator
from pathlib import Path

from cli.local.data_dir import DataDirectory


def log_files(directory: DataDirectory) -> dict[str, Path]:
    """Return the log of each process, by its name."""
    files = {file.stem: file for file in sorted(directory.logs.glob("*.log"))}
    servers = {"postgres": directory.postgres, "valkey": directory.valkey}
    return files | {name: folder / "log" for name, folder in servers.items() if (folder / "log").exists()}


def lines_about(directory: DataDirectory, job_id: str) -> Iterator[tuple[str, str]]:
    """Yield the name of a log and a line of it, for every line that names the job."""
    for name, file in log_files(directory).items():
        for line in read_lines(file, 0)[0]:
            if job_id in line:
                yield name, line


def read_lines(file: Path, place: int) -> tuple[list[str], int]:
    """Return the complete lines of a log after a byte, and the byte after them; a log that was replaced begins anew."""
    try:
        with file.open("rb") as log:
            log.seek(place if place <= file.stat().st_size else 0)
            place, text = log.tell(), log.read()
    except OSError:
        return [], 0
    complete = text[: text.rfind(b"\n") + 1]
    return complete.decode(errors="replace").splitlines(), place + len(complete)
