"""Resolve every extra of pyproject.toml together and print the exact versions: `make constraints`.

Left out, because torch's own metadata pins them and they exist only for its CUDA build: nvidia-*, cuda-*, triton.
A local version ("2.13.0+cpu") is written without its local part, so that either build of torch satisfies it.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
OF_TORCH = ("nvidia-", "cuda-", "triton")


def resolve() -> dict[str, str]:
    """Names and versions that pip would install into an empty environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    requirements = [*project["dependencies"], *(name for extra in extras for name in extra)]
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-"]
    report = subprocess.run([*pip, *requirements], check=True, stdout=subprocess.PIPE).stdout
    installs = [item["metadata"] for item in json.loads(report)["install"]]
    return {item["name"].lower().replace("_", "-"): item["version"].split("+")[0] for item in installs}


def main() -> None:
    print("# Written by `make constraints`; docs/dependencies.md says how and when.")
    for name, version in sorted(resolve().items()):
        if not name.startswith(OF_TORCH):
            print(f"{name}=={version}")


if __name__ == "__main__":
    main()
