"""`Dockerfile.gpu`: it lints, it installs what `make setup` installs, and it copies all that a service reads."""

import re
import subprocess
import tomllib
from importlib.metadata import requires

import pytest

from tests.support.deploy.images import ROOT, hadolint

DOCKERFILE = (ROOT / "Dockerfile.gpu").read_text()
SCRIPTS = sorted((ROOT / "scripts" / "image").glob("*.sh"))


def test_hadolint_finds_nothing():
    done = subprocess.run(
        [hadolint(), "--no-color", "--failure-threshold=style", "Dockerfile.gpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_hadolint_would_find_something(tmp_path):
    (tmp_path / "Dockerfile").write_text(DOCKERFILE + "RUN sudo apt-get install x\nUSER root\n")
    done = subprocess.run(
        [hadolint(), tmp_path / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False
    )
    assert 1 == done.returncode
    assert "DL3002" in done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_ones_that_a_shell_can_read(script):
    assert script.stat().st_mode & 0o111
    assert script.read_text().startswith("#!/bin/sh\n")
    assert "set -eu" in script.read_text()
    assert 0 == subprocess.run(["sh", "-n", script], timeout=10, check=False).returncode


def stages():
    """The instructions of each stage by its name."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    return dict(zip(parts[2::3], parts[3::3], strict=True))


def installs(text):
    """The arguments of pip, a line for each call."""
    return re.findall(r"pip install ([^\n]*)", text.replace("\\\n", " ").replace("&&", "\n"))


@pytest.mark.parametrize("stage", ["api", "gpu"])
def test_what_runs_is_no_root_and_cannot_change_what_it_runs(stage):
    final = stages()[stage]
    assert "USER 10001:10001" in final
    assert f"COPY --from={stage}-build /opt/atelier/ /opt/atelier/" in final
    assert "chown" not in DOCKERFILE


def test_the_base_of_gpu_brings_no_second_cuda():
    """NVIDIA's `base` has what refuses an old driver (NVIDIA_REQUIRE_CUDA); the libraries come with torch."""
    assert re.search(r"^ARG BASE_IMAGE=docker\.io/nvidia/cuda:13\.\d\.\d-base-ubi9$", DOCKERFILE, flags=re.MULTILINE)


def test_everything_is_pinned_as_make_setup_pins_it():
    setup = (ROOT / "Makefile").read_text()
    for line in [*installs(stages()["api-build"]), *installs(stages()["gpu-build"])]:
        assert "-c constraints.txt" in line or "--no-deps --require-hashes -r requirements-nodeps.txt" in line
    for file in ("requirements-nodeps.txt", "requirements-gpu.txt"):
        pinned = re.findall(
            r"^[\w-]+==\S+[^\n]*(?:\n    --hash=sha256:[0-9a-f]{64}[^\n]*)+", (ROOT / file).read_text(), re.M
        )
        assert len(pinned) == len(re.findall(r"^[a-z]", (ROOT / file).read_text(), re.M))
    assert "--no-deps --require-hashes -r requirements-nodeps.txt" in setup


def test_each_image_has_the_extras_that_it_needs():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.search(r"-e '\.\[([a-z,-]+)\]'", stages()["gpu-build"])
    assert asked is not None
    assert set(extras) - {"bench", "dev", "embedded", "matting"} == set(asked[1].split(","))
    assert "[" not in "".join(installs(stages()["api-build"]))


def test_gpu_has_the_onnxruntime_with_cuda_and_no_other():
    """Both packages fill one folder: whichever came last would win, and the other's files would stay among its own."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in installs(stages()["gpu-build"]) if "-r requirements-gpu.txt" in line]
    assert {"onnxruntime", "rembg[cpu]"} == set(extras["matting"]) - set(extras["matting-gpu"])
    assert [] == [name for name in extras["matting-gpu"] if "onnxruntime" in name or "[" in name]
    replaced = re.findall(
        r"^(\S+)==(\S+) ; platform_machine == \"(\w+)\"", (ROOT / "requirements-gpu.txt").read_text(), re.M
    )
    assert {("onnxruntime-gpu", "x86_64"), ("onnxruntime", "aarch64")} == {(name, on) for name, _, on in replaced}
    assert {f"onnxruntime=={version}" for _, version, _ in replaced} == {
        line for line in constraints if line.startswith("onnxruntime=")
    }


def test_it_has_what_onnxruntime_needs():
    """`--no-deps` leaves its requirements out, so the extra names them."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    needed = {re.split(r"[^\w-]", name)[0] for name in requires("onnxruntime") or () if "extra ==" not in name}
    assert {"flatbuffers", "numpy"} <= needed
    assert needed - {"numpy"} <= set(extras["matting-gpu"])


def test_what_is_copied_is_what_is_imported_and_read():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert kept >= {name.rstrip("*") for name in packages}
    assert kept >= {"weights.lock", "pyproject.toml", "constraints.txt", "requirements-nodeps.txt", "LICENSE"}
    assert "requirements-gpu.txt" in kept
    assert [] == [name for name in kept if not (ROOT / name).exists()]
    assert "docs/*/" in (ROOT / ".dockerignore").read_text().splitlines()  # of the docs the guides, which /docs shows
    assert not kept & {"tests", "benchmarks", "helm", ".git", ".venv", "weights"}
