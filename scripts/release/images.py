"""Both images, built and saved as archives where that can be done here."""

import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.release.version import Refused

BUILDERS = ("docker", "podman", "buildah")
BASES = {"api": "API_BASE_IMAGE", "gpu": "BASE_IMAGE"}
PYTHON = "/opt/atelier/venv/bin/python"
INVENTORY = Path(__file__).with_name("inventory.py")


@dataclass(frozen=True)
class Saved:
    """An image in an archive, by the digest of its manifest, and what it consists of (`inventory.py`)."""

    archive: Path
    digest: str
    inventory: dict[str, Any]


def builder() -> str:
    """The first program that can build images here, or "" where none can."""
    return next((program for program in BUILDERS if shutil.which(program) and _run(program, "info") is None), "")


def base(source: Path, target: str, options: Sequence[str]) -> str:
    """Name of the image on which `target` is built: an argument of the build, or the default of Dockerfile.gpu."""
    argument = BASES[target]
    named = [found[1] for option in options if (found := re.fullmatch(rf"--build-arg={argument}=(.+)", option))]
    default = re.search(rf"^ARG {argument}=(\S+)$", (source / "Dockerfile.gpu").read_text(), re.MULTILINE)
    if not named and not default:
        raise Refused(f"Dockerfile.gpu has no `ARG {argument}=…`.")
    return named[-1] if named else default[1]


def fetch(program: str, name: str) -> str | None:
    """Get the base `name`, unless it is here; the builder's last words where it cannot be had."""
    look = ("inspect", "--type=image", name) if program == "buildah" else ("image", "inspect", name)
    return None if _run(program, *look) is None else _run(program, "pull", name)


def build(program: str, source: Path, target: str, version: str, options: Sequence[str]) -> str:
    """Build a target of Dockerfile.gpu in `source`; return the image's name. The builder prints what it does.

    Raises:
        Refused: the build failed.

    """
    name = f"atelier-{target}:{version}"
    arguments = ["--file", str(source / "Dockerfile.gpu"), "--target", target, "--tag", name, str(source)]
    if subprocess.run([program, "build", *options, *arguments], check=False).returncode:
        raise Refused(f"The image {target} could not be built: the lines above say why.")
    return name


def save(program: str, name: str, archive: Path) -> Saved:
    """Save the image `name` in `archive`."""
    command = {
        "buildah": ["push", "--quiet", name, f"oci-archive:{archive}:{name}"],
        "podman": ["save", "--quiet", "--format=oci-archive", f"--output={archive}", name],
        "docker": ["save", f"--output={archive}", name],
    }
    if complaint := _run(program, *command[program]):
        raise Refused(f"The image {name} could not be saved:\n{complaint}")
    return Saved(archive, digest(archive), take_inventory(program, name))


def digest(archive: Path) -> str:
    """The digest of the manifest, by which a registry will serve the image."""
    with tarfile.open(archive) as files:
        try:
            index = files.extractfile("index.json")
        except KeyError:
            return "unknown (an archive without index.json)"
        return json.loads(index.read())["manifests"][0]["digest"] if index else "unknown"


def take_inventory(program: str, name: str) -> dict[str, Any]:
    """What the image consists of, said by its own Python."""
    if program == "buildah":
        container = _output(program, "from", name)
        try:
            return json.loads(_output(program, "run", container, "--", PYTHON, "-", text=INVENTORY.read_text()))
        finally:
            _run(program, "rm", container)
    run = ("run", "--rm", "--interactive", f"--entrypoint={PYTHON}", name, "-")
    return json.loads(_output(program, *run, text=INVENTORY.read_text()))


def _run(program: str, *arguments: str) -> str | None:
    """None where it went well, else the last words of the program."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-6:]
    return "\n".join(last) or f"status {done.returncode}" if done.returncode else None


def _output(program: str, *arguments: str, text: str = "") -> str:
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{program} {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
