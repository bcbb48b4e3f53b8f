"""Fetch the files of others that the console serves, as `console/vendor/vendor.lock` pins them.

Each package of npm comes by its exact version and is checked against the sha512 of the lock (an empty one is filled in,
for a new version). Its files are copied; imports of other packages become relative, and source maps are left out. The
lock then has the sha256 of each file.

    python -m scripts.vendor_console
"""

import base64
import hashlib
import io
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "console"
LOCK = FOLDER / "vendor" / "vendor.lock"
IMPORTS = {'"preact"': '"./preact.js"', "'preact'": "'./preact.js'"}
HEAD = """# What comes from elsewhere: packages of npm by exact version. `python -m scripts.vendor_console` fetches and
# checks them, and a test compares every file with its digest here.
"""


def fetch(package: dict[str, Any]) -> tarfile.TarFile:
    """Return the archive of a package. Raises `ValueError` for another one than was pinned."""
    name, version = package["name"], package["version"]
    with TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, f"{name}@{version}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        content = archive.read_bytes()
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if package["integrity"] not in ("", found):
        raise ValueError(f"{name} {version} is {found}, not {package['integrity']}")
    package["integrity"] = found
    return tarfile.open(fileobj=io.BytesIO(content))


def rewrite(name: str, content: bytes) -> bytes:
    """Return a file as the console serves it."""
    if not name.endswith(".js"):
        return content
    text = re.sub(r"\n?//# sourceMappingURL=\S+\s*$", "\n", content.decode())
    for bare, relative in IMPORTS.items():
        text = text.replace(f"from{bare}", f"from{relative}").replace(f"from {bare}", f"from {relative}")
    return text.encode()


def lines(packages: list[dict[str, Any]]) -> str:
    """Return the text of the lock."""
    parts = [HEAD]
    for package in packages:
        facts = [f'{key} = "{package[key]}"' for key in ("name", "version", "license", "integrity")]
        files = [
            f'{{ from = "{one["from"]}", to = "{one["to"]}", sha256 = "{one["sha256"]}" }},' for one in package["files"]
        ]
        parts.append("\n".join(["", "[[package]]", *facts, "files = [", *(f"    {line}" for line in files), "]", ""]))
    return "".join(parts)


def main() -> None:
    packages = tomllib.loads(LOCK.read_text())["package"]
    for package in packages:
        archive = fetch(package)
        for one in package["files"]:
            member = archive.extractfile(f"package/{one['from']}")
            assert member is not None, one["from"]
            content = rewrite(one["to"], member.read())
            one["sha256"] = hashlib.sha256(content).hexdigest()
            (FOLDER / one["to"]).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / one["to"]).write_bytes(content)
    LOCK.write_text(lines(packages))


if __name__ == "__main__":
    main()
