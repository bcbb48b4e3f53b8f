"""Archives whose bytes follow from what is in them: sorted, of one time, one owner and two modes."""

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from scripts.release.version import Refused


def packages(source: Path, into: Path, epoch: int) -> tuple[Path, Path]:
    """Build the sdist and the wheel of the project in `source`; they have the time `epoch` in them."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-8:]
            raise Refused("The sdist and the wheel could not be built:\n" + "\n".join(last))
        (sdist,), (wheel,) = (
            [Path(shutil.copyfile(file, into / file.name)) for file in Path(folder).glob(pattern)]
            for pattern in ("*.tar.gz", "*.whl")
        )
    with tarfile.open(sdist) as archive:  # setuptools writes the times and the owner of this day into it
        files = [(one.name, _content(archive, one), bool(one.mode & 0o100)) for one in archive if one.isfile()]
    write_tar(sdist, files, epoch)
    return sdist, wheel


def chart(source: Path, into: Path, version: str, epoch: int) -> Path:
    """Pack the chart in the folder `source`, as `helm package` names it."""
    files = [
        (f"atelier/{path.relative_to(source).as_posix()}", path.read_bytes(), False)
        for path in source.rglob("*")
        if path.is_file()
    ]
    return write_tar(into / f"atelier-{version}.tgz", files, epoch)


def write_tar(path: Path, files: Iterable[tuple[str, bytes, bool]], epoch: int) -> Path:
    """Write files, each with its name, content and whether it can be run, to a gzipped tar."""
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data, runs in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), epoch, 0o755 if runs else 0o644
            archive.addfile(member, BytesIO(data))
    path.write_bytes(gzip.compress(content.getvalue(), mtime=epoch))
    return path


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""
