"""One release from beginning to end: the tag, then its files in `dist/VERSION`, made from the tag alone."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.release import archives, checksums, images, sbom, selection, version
from scripts.release.repository import Repository

Say = Callable[[str], None]


def release(root: Path, name: str, say: Say, key: Path | None = None, options: Sequence[str] = ()) -> Path:
    """Tag the version `name` in the checkout `root`, unless it is, and write its files.

    Args:
        root: the checkout.
        name: the version, X.Y.Z or X.Y.Z-rc.N.
        say: takes one line for each step.
        key: an SSH key that signs the checksums; without it they are not signed.
        options: arguments of the images' builder.

    Returns:
        The folder of the files.

    Raises:
        Refused: the release cannot be made; nothing is tagged then, unless the sentence is about a step after the tag.

    """
    version.check_form(name)
    repository = Repository(root)
    repository.check_clean()
    if repository.tagged(name):
        say(f"v{name} is tagged already, and checked out: its files are made again")
    else:
        repository.tag(name)
        say(f"v{name} is committed and tagged, here alone: `git push --follow-tags` publishes it")
    epoch = repository.epoch(name)
    with TemporaryDirectory(prefix="atelier-release-") as temporary, _umask(0o022):
        source, files = Path(temporary, "source"), Path(temporary, "files")
        source.mkdir()
        files.mkdir()
        repository.export(name, source)
        _write(source, files, name, epoch, say, options)
        sums = checksums.write(files)
        if key:
            checksums.sign(sums, key)
        say(f"SHA256SUMS of {len(sums.read_text().splitlines())} files{', signed' if key else ', not signed'}")
        return _replace(files, root / "dist" / name)


def _write(source: Path, files: Path, name: str, epoch: int, say: Say, options: Sequence[str]) -> None:
    notes = version.section((source / "CHANGELOG.md").read_text(), name)
    (files / "NOTES.md").write_text(f"# Atelier {name}\n\n{notes}")
    shutil.copyfile(source / "weights.lock", files / "weights.lock")
    say("sdist and wheel")
    archives.packages(source, files, epoch)
    say("the Python SDK")
    archives.packages(source / "sdk/python", files, epoch)
    say("the chart")
    archives.chart(source / "helm", files, name, epoch)
    say("bill of materials of the Python packages")
    everything = selection.inventory(source, selection.EVERYTHING)
    (files / f"atelier-{name}.cdx.json").write_text(sbom.bill("atelier", name, epoch, everything, built=False))
    program = images.builder()
    lines = [_image(program, source, files, target, name, epoch, say, options) for target in images.BASES]
    (files / "IMAGES.txt").write_text("\n".join(lines))


def _image(
    program: str, source: Path, files: Path, target: str, name: str, epoch: int, say: Say, options: Sequence[str]
) -> str:
    """Build an image, or find out why not; write its bill; return what IMAGES.txt says of it."""
    bill = files / f"atelier-{target}-{name}.cdx.json"
    base = images.base(source, target, options)
    complaint = images.fetch(program, base) if program else None
    if complaint or not program:
        reason = f"{base} is not here, and could not be fetched" if program else NO_BUILDER
        say(f"the image {target} is not built: {reason}{f': {complaint.splitlines()[-1]}' if complaint else ''}")
        planned = selection.inventory(source, selection.GPU if target == "gpu" else ())
        bill.write_text(sbom.bill(f"atelier-{target}", name, epoch, planned, built=False))
        return NOT_BUILT.format(target=target, reason=reason, base=base, version=name, bill=bill.name)
    say(f"the image {target}, with {program} on {base}: some minutes")
    built = images.build(program, source, target, name, options)
    saved = images.save(program, built, files / f"atelier-{target}-{name}.oci.tar")
    bill.write_text(sbom.bill(f"atelier-{target}", name, epoch, saved.inventory, built=True))
    return BUILT.format(target=target, archive=saved.archive.name, digest=saved.digest, base=base, bill=bill.name)


NO_BUILDER = f"none of {', '.join(images.BUILDERS)} can be used here"
NOT_BUILT = """{target}: not built, for {reason}.
  To build it from the sources of v{version}, on {base} or another base:
  docker build -f Dockerfile.gpu --target {target} -t atelier-{target}:{version} .
  {bill} lists the Python packages that it will have, and nothing of its base.
"""
BUILT = """{target}: {archive}
  manifest {digest}
  built on {base}; {bill} lists what is in it, packages of the system too.
"""


def _replace(files: Path, target: Path) -> Path:
    """Put the files in the place of those that were made before."""
    target.parent.mkdir(exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(files, target)
    return target


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
