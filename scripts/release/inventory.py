"""Prints what an installation consists of, as JSON: Python's packages, and those of the system.

Only the standard library, and nothing of ours: a release runs this file in the Python of each image.
"""

import json
import re
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

DEBIAN = ["dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n"]
RED_HAT = ["rpm", "-qa", "--qf", "%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{LICENSE}\n"]
DOCUMENTS = Path("/usr/share/doc")


def python_package(distribution: Distribution) -> dict[str, Any]:
    """Name, version and licence of a package, and the libraries within its wheel that the wheel itself lists."""
    name, version = distribution.metadata["Name"], distribution.metadata["Version"]
    return {"name": name, "version": version, "licence": licence(distribution), "carries": carried(distribution)}


def carried(distribution: Distribution) -> list[dict[str, str]]:
    """Components of the bills that a wheel brings along (PEP 770), as auditwheel and maturin write them."""
    name, version = distribution.metadata["Name"], distribution.metadata["Version"]
    stem = normalized(name)
    folders = (Path(str(distribution.locate_file(f"{one}-{version}.dist-info/sboms"))) for one in {name, stem})
    files = sorted(file for folder in folders for file in folder.glob("*.json"))
    listed = (one for file in files for one in json.loads(file.read_text(encoding="utf-8")).get("components", ()))
    found = {(one["name"], one.get("version", "")): component(one) for one in listed if normalized(one["name"]) != stem}
    return [found[key] for key in sorted(found)]


def normalized(name: str) -> str:
    """A package's name as wheels write it."""
    return re.sub(r"[-_.]+", "_", name).lower()


def component(one: dict[str, Any]) -> dict[str, str]:
    """A component of CycloneDX's JSON: what of it a bill of ours repeats."""
    licences = (entry.get("expression") or entry["license"] for entry in one.get("licenses", ()))
    names = (said if isinstance(said, str) else said.get("id") or said["name"] for said in licences)
    version, url = one.get("version", ""), one.get("purl", "")
    return {"name": one["name"], "version": version, "purl": url, "licence": " AND ".join(names)}


def licence(distribution: Distribution) -> str:
    """`License-Expression` (PEP 639), a `License` of one line, the classifiers, or the first line of a text."""
    metadata = distribution.metadata
    said = (metadata.get("License") or "").strip()
    labels = (text for text in metadata.get_all("Classifier") or [] if text.startswith("License :: "))
    classified = ", ".join(text.rpartition(" :: ")[2] for text in labels)
    if "\n" in said:
        return classified or said.splitlines()[0].strip()
    return metadata.get("License-Expression") or said or classified


def system_packages() -> list[dict[str, str]]:
    """Packages of Debian or Red Hat, whichever this is."""
    for kind, command in (("deb", DEBIAN), ("rpm", RED_HAT)):
        try:
            listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except OSError:
            continue
        rows = [line.split("\t") for line in listed.splitlines()]
        return [
            {"kind": kind, "name": name, "version": version, "arch": arch, "licence": said[0] if said else debian(name)}
            for name, version, arch, *said in rows
        ]
    return []


def debian(package: str) -> str:
    """The licences that a package's copyright file names: in its fields, or by the texts that Debian has of them."""
    try:
        text = (DOCUMENTS / package / "copyright").read_text(errors="replace")
    except OSError:
        return ""
    fields = re.findall(r"^License: *(\S[^\n]*)$", text, re.MULTILINE)
    texts = re.findall(r"/usr/share/common-licenses/([\w+-]+(?:\.\d+)?)", text)
    return ", ".join(sorted(set(fields or texts)))


def system_name() -> str:
    """`ID` of os-release: debian, rhel."""
    try:
        found = re.search(r'^ID="?([a-z]+)', Path("/etc/os-release").read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


def main() -> None:
    packages = sorted((python_package(one) for one in distributions()), key=lambda one: one["name"].lower())
    json.dump({"system": system_name(), "python": packages, "packages": system_packages()}, sys.stdout)


if __name__ == "__main__":
    main()
