"""What will be installed, read from the environment of `make setup`: packages by extra, held to the pins."""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.release.inventory import python_package
from scripts.release.version import Refused

PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)
GPU = ("worker", "matting-gpu", "mesh", "speech")
"""Extras of the `gpu` image."""
EVERYTHING = ("worker", "matting", "mesh", "speech", "embedded")
"""Extras of the product: those of one box."""


def inventory(source: Path, extras: tuple[str, ...]) -> dict[str, Any]:
    """Packages that the project of `source` installs with these extras, in the form of `inventory.py`.

    Refuses an environment whose versions are not those of the pins.
    """
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(one for extra in extras for one in project["optional-dependencies"][extra]),
    ]
    pins = _pins(source / "constraints.txt")
    if "speech" in extras:
        without_dependencies = _pins(source / "requirements-nodeps.txt")
        pins |= without_dependencies
        requirements += without_dependencies
    names = _closure(requirements, alone=_pins(source / "requirements-nodeps.txt"))
    packages = [python_package(distribution(name)) for name in sorted(names)]
    _check_pins(packages, pins)
    if "matting-gpu" in extras:
        packages.append(_onnxruntime_gpu(source))
    return {"system": "", "python": packages, "packages": []}


def _pins(file: Path) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in PIN.findall(file.read_text())}


def _closure(requirements: Iterable[str], alone: Iterable[str]) -> dict[str, set[str]]:
    """Names of all that the requirements need, with the extras of each; those in `alone` need nothing."""
    found: dict[str, set[str]] = {}
    waiting = [Requirement(one) for one in requirements]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in found and wanted.extras <= found[name]:
            continue
        extras = found.setdefault(name, set())
        extras |= wanted.extras
        if name not in alone:
            needed = map(Requirement, _installed(name).requires or [])
            waiting += [one for one in needed if _applies(one, extras)]
    return found


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras})


def _installed(name: str) -> Any:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise Refused(f"{name} is not installed, so its licence is unknown: run `make setup`.") from error


def _check_pins(packages: Iterable[dict[str, Any]], pins: dict[str, str]) -> None:
    for package in packages:
        name, version = canonicalize_name(package["name"]), package["version"].partition("+")[0]
        if name in pins and pins[name] != version:
            raise Refused(f"{name} {version} is installed, and {pins[name]} is pinned: run `make setup`.")


def _onnxruntime_gpu(source: Path) -> dict[str, Any]:
    """It is installed in the image alone; licence and content are those of the package whose place it takes."""
    version = _pins(source / "requirements-gpu.txt")["onnxruntime-gpu"]
    return {**python_package(_installed("onnxruntime")), "name": "onnxruntime-gpu", "version": version}
