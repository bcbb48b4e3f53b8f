"""Git, as a release uses it: what is checked out and tagged, the commit and the tag of a version, its files."""

import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from scripts.release import version as versions
from scripts.release.version import Refused


class Repository:
    """A checkout with its history."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check_clean(self) -> None:
        """Refuse a checkout with changes that no commit has."""
        changed = self._git("status", "--porcelain").decode().splitlines()
        if changed:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            names = ", ".join(line[3:] for line in changed[:3])
            raise Refused(f"The working tree has changes ({names}{more}): commit them, or put them away.")

    def tagged(self, version: str) -> bool:
        """Whether `version` is tagged, and checked out; refuse one that is tagged at another commit."""
        tags = self._git("tag", "--list", f"v{version}").split()
        if not tags:
            return False
        at, head = self._commit(f"v{version}"), self._commit("HEAD")
        if at != head:
            raise Refused(
                f"v{version} is tagged at {at[:12]}, and {head[:12]} is checked out: "
                f"`git checkout v{version}` to make its files again, or choose another version."
            )
        return True

    def tag(self, version: str) -> None:
        """Cut the changelog, write the version wherever it stands, commit and tag; where one fails, undo the others."""
        changelog, project, sdk, chart = (
            self._folder / name
            for name in ("CHANGELOG.md", "pyproject.toml", "sdk/python/pyproject.toml", "helm/Chart.yaml")
        )
        versions.check_order(version, versions.project_version(project.read_text()))
        today = datetime.now(UTC).date().isoformat()
        written = {
            changelog: versions.cut_changelog(changelog.read_text(), version, today),
            project: versions.bump_project(project.read_text(), version),
            sdk: versions.bump_project(sdk.read_text(), version),
            chart: versions.bump_chart(chart.read_text(), version),
        }
        self._check_author()
        files = tuple(map(str, written))
        with self._undone("checkout", "--quiet", "HEAD", "--", *files):
            for path, text in written.items():
                path.write_text(text)
            self._git("commit", "--quiet", "--message", f"Release {version}", "--", *files)
        with self._undone("reset", "--quiet", "--keep", "HEAD^"):
            self._git("tag", "--annotate", f"v{version}", "--message", f"Atelier {version}")

    @contextmanager
    def _undone(self, *command: str) -> Iterator[None]:
        """Run a git command where the block fails, whatever ends it."""
        try:
            yield
        except BaseException:
            self._git(*command)
            raise

    def _check_author(self) -> None:
        try:
            self._git("var", "GIT_COMMITTER_IDENT")
        except Refused as error:
            raise Refused("Git knows no author: set user.name and user.email (`git config`).") from error

    def epoch(self, version: str) -> int:
        """When the version was committed, in seconds since 1970: the time of every file in its archives."""
        return int(self._git("log", "-1", "--format=%ct", f"v{version}^{{commit}}"))

    def export(self, version: str, folder: Path) -> None:
        """Write the files of the tag to `folder`, and nothing else that lies in the checkout."""
        files = self._git("-c", "tar.umask=0022", "archive", "--format=tar", f"v{version}^{{commit}}")
        with tarfile.open(fileobj=BytesIO(files)) as archive:
            archive.extractall(folder, filter="tar")
        for path in (folder, *folder.rglob("*")):  # whatever the umask of this process
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)

    def _commit(self, name: str) -> str:
        return self._git("rev-parse", f"{name}^{{commit}}").decode().strip()

    def _git(self, *arguments: str) -> bytes:
        done = subprocess.run(["git", *arguments], cwd=self._folder, capture_output=True, check=False)
        if done.returncode:
            raise Refused(f"git {arguments[0]}: {done.stderr.decode().strip() or done.stdout.decode().strip()}")
        return done.stdout
