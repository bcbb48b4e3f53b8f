"""`make release` in a repository of its own, with all files of this one: what it writes, twice the same."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import helm_python
import pytest

from scripts.release import version
from tests.support.deploy.chart import LEAST, manifests
from tests.support.paths import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PROGRAMS = ("git", "ssh-keygen")
"""What a release starts; no program that builds images is on its path here."""


def tracked(*folders: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.split()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of this checkout, as they are now, in a new repository with something unreleased."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    changelog = folder / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## [Unreleased]\n", "## [Unreleased]\n\n- This test.\n", 1))
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Begin"]):
        git(folder, *arguments)
    return folder


def git(folder: Path, *arguments: str) -> str:
    names = {f"GIT_{who}_{what}": "tests@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **names}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    programs = tmp_path_factory.mktemp("programs")
    for program in PROGRAMS:
        (programs / program).symlink_to(str(shutil.which(program)))
    names = {f"GIT_{who}_{what}": "tests@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {"PATH": str(programs), "HOME": str(programs), **names}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def cut(
    checkout: Path, environment: dict[str, str], *arguments: str, umask: int = 0o022
) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "scripts.release", *arguments]
    return subprocess.run(
        command, cwd=checkout, env=environment, umask=umask, capture_output=True, text=True, timeout=400, check=False
    )


@pytest.fixture(scope="module")
def name() -> str:
    major = int(version.project_version((ROOT / "pyproject.toml").read_text()).partition(".")[0])
    return f"{major + 1}.0.0"


@pytest.fixture(scope="module")
def files(checkout: Path, environment: dict[str, str], key: Path, name: str) -> Path:
    done = cut(checkout, environment, name, "--sign", str(key))
    assert (0, "") == (done.returncode, done.stderr)
    assert f"done: dist/{name}" in done.stdout
    return checkout / "dist" / name


def test_a_second_call_makes_the_same_bytes(files, checkout, environment, key, name):
    before = {path.name: path.read_bytes() for path in files.iterdir()}
    commit, tags = git(checkout, "rev-parse", "HEAD"), git(checkout, "tag")
    elsewhere = {**environment, "TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    done = cut(checkout, elsewhere, name, "--sign", str(key), umask=0o077)
    assert 0 == done.returncode, done.stderr
    assert "is tagged already" in done.stdout
    after = {path.name: path.read_bytes() for path in files.iterdir()}
    assert [] == [one for one in before.keys() | after.keys() if before.get(one) != after.get(one)]
    assert (commit, tags) == (git(checkout, "rev-parse", "HEAD"), git(checkout, "tag"))


def test_dist_has_all_files_of_a_release(files, name):
    assert {
        "IMAGES.txt",
        "NOTES.md",
        "SHA256SUMS",
        "SHA256SUMS.sig",
        "weights.lock",
        f"atelier-{name}-py3-none-any.whl",
        f"atelier-{name}.cdx.json",
        f"atelier-{name}.tar.gz",
        f"atelier-{name}.tgz",
        f"atelier_client-{name}-py3-none-any.whl",
        f"atelier_client-{name}.tar.gz",
        f"atelier-api-{name}.cdx.json",
        f"atelier-gpu-{name}.cdx.json",
    } == {path.name for path in files.iterdir()}
    assert "- This test." in (files / "NOTES.md").read_text()
    said = (files / "IMAGES.txt").read_text()
    assert "api: not built, for none of docker, podman, buildah can be used here." in said
    assert f"docker build -f Dockerfile.gpu --target gpu -t atelier-gpu:{name} ." in said
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=files, check=True)


def test_the_wheel_has_every_file_of_the_packages(files, name):
    with zipfile.ZipFile(files / f"atelier-{name}-py3-none-any.whl") as wheel:
        found = {one for one in wheel.namelist() if ".dist-info/" not in one}
        assert f"Version: {name}\n" in wheel.read(f"atelier-{name}.dist-info/METADATA").decode()
    sdk = {one.removeprefix("sdk/python/") for one in tracked("sdk/python/atelier_client")}
    assert {*tracked("api", "cli", "console", "core", "jobs", "pipelines", "workers"), *sdk} == found


def test_the_wheel_of_the_sdk_has_its_package_alone(files, name):
    with zipfile.ZipFile(files / f"atelier_client-{name}-py3-none-any.whl") as wheel:
        found = {one for one in wheel.namelist() if ".dist-info/" not in one}
    assert {one.removeprefix("sdk/python/") for one in tracked("sdk/python/atelier_client")} == found


def test_the_sdist_has_what_setup_needs(files, name, tmp_path):
    shutil.unpack_archive(files / f"atelier-{name}.tar.gz", tmp_path, filter="data")
    needed = (
        "Makefile",
        "constraints.txt",
        "requirements-nodeps.txt",
        "weights.lock",
        "Dockerfile.gpu",
        "helm/values.yaml",
    )
    assert [] == [one for one in needed if not (tmp_path / f"atelier-{name}" / one).is_file()]


def test_the_chart_renders_from_dist(files, name):
    chart = helm_python.Chart.load(files / f"atelier-{name}.tgz")
    assert (name, name) == (chart.metadata["version"], chart.metadata["appVersion"])
    rendered = chart.render(LEAST, name="atelier", namespace="studio")
    assert f"atelier-api:{name}" in rendered["atelier/templates/api.yaml"]
    assert len(manifests("least")) == sum(text.count("\nkind: ") for text in rendered.values())


@pytest.mark.parametrize(("argument", "status", "sentence"), [("1.2", 1, "is not a version"), ("", 2, "usage: make")])
def test_a_call_that_is_wrong_says_so(checkout, environment, argument, status, sentence):
    done = cut(checkout, environment, argument)
    assert status == done.returncode
    assert sentence in done.stderr
