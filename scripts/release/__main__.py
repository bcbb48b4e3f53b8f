"""`python -m scripts.release VERSION`, which `make release VERSION=…` calls."""

import argparse
import os
import shlex
import sys
import time
from pathlib import Path

from scripts.release.release import release
from scripts.release.version import Refused

ROOT = Path(__file__).resolve().parents[2]
HELP = """Cuts a version and publishes nothing: the changelog's section, the versions of the package and of the chart, a
commit and a tag, here alone; then sdist, wheel, chart, images, bills of materials and checksums in dist/VERSION.
Called again for a version that is checked out, it makes the same files again and tags nothing."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make release", description=HELP, usage="make release VERSION=1.2.3")
    parser.add_argument("version", help="X.Y.Z, or X.Y.Z-rc.N before it")
    parser.add_argument(
        "--sign",
        type=Path,
        metavar="KEY",
        help="SIGN_KEY=…: an SSH key, with which ssh-keygen signs the checksums: SHA256SUMS.sig",
    )
    parser.add_argument(
        "--build-options",
        default="",
        metavar="OPTIONS",
        help="BUILD_OPTIONS=…: arguments for docker, podman or buildah: --build-arg=BASE_IMAGE=example.com/cuda:13",
    )
    given = parser.parse_args([one for one in sys.argv[1:] if one])
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"release: {time.monotonic() - began:4.0f} s  {line}", flush=True)

    try:
        files = release(ROOT, given.version, say, given.sign, shlex.split(given.build_options))
    except Refused as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    say(f"done: {os.path.relpath(files)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
