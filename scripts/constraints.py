"""Resolve every extra of pyproject.toml together and print the exact versions: `make constraints`.

One set for every Python that pyproject.toml admits: it is resolved for the Python that runs this, and the others have
to resolve with its versions, from wheels alone; pip fails where one cannot.

Left out, because torch's own metadata pins them and they exist only for its CUDA build: nvidia-*, cuda-*, triton.
A local version ("2.13.0+cpu") is written without its local part, so that either build of torch satisfies it.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
OF_TORCH = ("nvidia-", "cuda-", "triton")
OTHERS = ("3.12", "3.13")


def requirements() -> list[str]:
    """What the project and all of its extras ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return [*project["dependencies"], *(name for extra in extras for name in extra)]


def resolve(options: Sequence[str] = ()) -> dict[str, str]:
    """Names and versions that pip would install into an empty environment."""
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-"]
    report = subprocess.run([*pip, *options, *requirements()], check=True, stdout=subprocess.PIPE).stdout
    installs = [item["metadata"] for item in json.loads(report)["install"]]
    found = {item["name"].lower().replace("_", "-"): item["version"].split("+")[0] for item in installs}
    return {name: version for name, version in found.items() if not name.startswith(OF_TORCH)}


def lines(pins: dict[str, str]) -> str:
    """The pins as pip reads them."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))


def main() -> None:
    pins = resolve()
    with TemporaryDirectory() as folder:
        file = Path(folder, "constraints.txt")
        for python in OTHERS:
            file.write_text(lines(pins))
            others = ["--python-version", python, "--only-binary=:all:", "--target", folder, "--constraint", str(file)]
            pins |= resolve(others)
    versions = f"{sys.version_info[0]}.{sys.version_info[1]}, {' and '.join(OTHERS)}"
    print(f"# Written by `make constraints` for Python {versions}; docs/dependencies.md says how and when.")
    print(lines(pins), end="")


if __name__ == "__main__":
    main()
