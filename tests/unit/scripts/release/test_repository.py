"""Git as a release uses it, on a repository of four files."""

import subprocess
from pathlib import Path

import pytest

from scripts.release.repository import Repository
from scripts.release.version import Refused

FILES = {
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n- News.\n",
    "pyproject.toml": '[project]\nversion = "0.1.0"\n',
    "sdk/python/pyproject.toml": '[project]\nversion = "0.1.0"\n',
    "helm/Chart.yaml": "version: 0.1.0\nappVersion: 0.1.0\n",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Release Tests")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tests@example.com")
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


def test_a_version_is_committed_and_tagged(folder):
    repository = Repository(folder)
    repository.check_clean()
    assert not repository.tagged("0.2.0")
    repository.tag("0.2.0")
    assert repository.tagged("0.2.0")
    assert "v0.2.0" == git(folder, "tag", "--points-at", "HEAD")
    assert "Release 0.2.0" == git(folder, "log", "-1", "--format=%s")
    assert "" == git(folder, "status", "--porcelain")
    for place in (".", "sdk/python"):
        assert 'version = "0.2.0"' in (folder / place / "pyproject.toml").read_text()
    assert "version: 0.2.0\nappVersion: 0.2.0\n" == (folder / "helm" / "Chart.yaml").read_text()
    assert int(git(folder, "log", "-1", "--format=%ct")) == repository.epoch("0.2.0")


def test_changes_without_a_commit_are_refused(folder):
    for number in range(5):
        (folder / f"new-{number}").write_text("x")
    with pytest.raises(Refused, match=r"has changes \(new-0, new-1, new-2 and 2 more\): commit them"):
        Repository(folder).check_clean()


def test_a_version_that_is_tagged_elsewhere_is_refused(folder):
    Repository(folder).tag("0.2.0")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Go on")
    with pytest.raises(Refused, match=r"v0\.2\.0 is tagged at [0-9a-f]{12}, .*`git checkout v0\.2\.0`"):
        Repository(folder).tagged("0.2.0")


def test_a_release_that_is_refused_changes_nothing(folder):
    Repository(folder).tag("0.2.0")
    with pytest.raises(Refused, match="Nothing stands under"):
        Repository(folder).tag("0.3.0")
    with pytest.raises(Refused, match="older than"):
        Repository(folder).tag("0.1.9")
    assert "" == git(folder, "status", "--porcelain")
    assert "v0.2.0" == git(folder, "tag")


def test_a_commit_that_fails_leaves_the_tree_as_it_was(folder):
    hook = folder / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho refused here >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Refused, match="git commit: refused here"):
        Repository(folder).tag("0.2.0")
    unchanged(folder)
    hook.unlink()
    Repository(folder).tag("0.2.0")
    assert "v0.2.0" == git(folder, "tag")


def test_a_tag_that_fails_leaves_no_commit(folder):
    git(folder, "tag", "v0.2.0/old")  # so that there is a folder where the tag's file would be
    with pytest.raises(Refused, match="git tag: "):
        Repository(folder).tag("0.2.0")
    unchanged(folder)


def unchanged(folder: Path) -> None:
    assert "" == git(folder, "status", "--porcelain")
    assert "Begin" == git(folder, "log", "-1", "--format=%s")
    assert FILES == {name: (folder / name).read_text() for name in FILES}


def test_a_git_without_an_author_is_refused_in_time(folder, monkeypatch):
    monkeypatch.setenv("GIT_COMMITTER_NAME", "")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    with pytest.raises(Refused, match=r"Git knows no author: set user\.name"):
        Repository(folder).tag("0.2.0")
    assert "" == git(folder, "status", "--porcelain")


def test_the_export_has_the_tags_files_and_two_modes(folder, tmp_path_factory):
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o700)
    git(folder, "add", "run.sh")
    git(folder, "commit", "--quiet", "--message", "A script")
    Repository(folder).tag("0.2.0")
    (folder / "CHANGELOG.md").write_text("changed since")
    exported = tmp_path_factory.mktemp("exported")
    Repository(folder).export("0.2.0", exported)
    assert "- News." in (exported / "CHANGELOG.md").read_text()
    modes = {path.name: path.stat().st_mode & 0o777 for path in exported.rglob("*")}
    assert {
        "CHANGELOG.md": 0o644,
        "Chart.yaml": 0o644,
        "helm": 0o755,
        "pyproject.toml": 0o644,
        "python": 0o755,
        "run.sh": 0o755,
        "sdk": 0o755,
    } == modes
