"""Building the image for real with buildah, and running what is in it as its own account on a read-only root."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.paths import ROOT

NEEDED = ("buildah", "debootstrap", "unshare", "chroot")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
ACCOUNT = 10001

ENTER = """
set -e
root=$1; shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done
shift
exec chroot --userspec=10001:10001 "$root" "$@"
"""
"""A root of its own for one process, read-only but for /tmp and folders that are named; the rest is run in it."""


def lacking() -> str:
    """What a real build lacks on this machine, as a sentence; nothing where it can be done."""
    absent = [program for program in NEEDED if shutil.which(program) is None]
    if absent:
        return f"{' and '.join(absent)} not installed: no image was built"
    return "" if os.geteuid() == 0 else "not root: no image was built"


def buildah(*arguments: str, timeout: float = 600) -> str:
    """What buildah prints; its errors fail the test with its last words."""
    done = subprocess.run(
        ["buildah", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert 0 == done.returncode, f"buildah {' '.join(arguments)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


def bootstrap(folder: Path, name: str) -> None:
    """A base image `name` of the distribution's own packages: Debian 12, and nothing else."""
    arguments = ["--variant=minbase", "bookworm", str(folder)]  # from its usual mirror
    subprocess.run(["debootstrap", *arguments], check=True, capture_output=True, timeout=600)
    container = buildah("from", "scratch")
    try:
        buildah("copy", "--quiet", container, str(folder), "/")
        buildah("commit", "--quiet", container, name)
    finally:
        buildah("rm", container)


def build(target: str, base: str, name: str) -> None:
    """Build a target of Dockerfile.gpu on `base`, in a chroot: no container runtime is needed."""
    bases = [f"--build-arg={which}={base}" for which in ("BASE_IMAGE", "API_BASE_IMAGE")]
    index = os.environ.get("PIP_INDEX_URL")
    pip = [f"--build-arg=PIP_INDEX_URL={index}"] if index else []
    if AUTHORITIES.exists():
        pip += [f"--volume={AUTHORITIES}:/run/authorities.crt:ro", "--build-arg=PIP_CERT=/run/authorities.crt"]
    index = os.environ.get("ATELIER_TORCH_INDEX")  # as for `make setup`
    pip += [f"--build-arg=ATELIER_TORCH_INDEX={index}"] if index else []
    options = ["--isolation=chroot", "--layers=false", "--file=Dockerfile.gpu", f"--target={target}", f"--tag={name}"]
    buildah("build", *options, *bases, *pip, ".", timeout=2400)


class Image:
    """A built image, unpacked: `run` waits for a program of it, `start` leaves it running."""

    def __init__(self, root: Path, environment: dict[str, str], shared: dict[str, Path]) -> None:
        """`shared` are folders of this machine by where processes of the image see them: places that it has."""
        self._root = root
        self._environment = environment
        self._shared = shared

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> subprocess.Popen[str]:
        """Start a program with the image's own environment and `environment`; its pid is the program's."""
        variables = [f"{name}={value}" for name, value in {**self._environment, **environment}.items()]
        binds = [part for place, folder in self._shared.items() for part in (str(folder), place)]
        command = ["sh", "-c", ENTER, "sh", str(self._root), *binds, "--", "env", "-i", *variables, *arguments]
        output = log.open("w") if log else subprocess.PIPE
        return subprocess.Popen(["unshare", "--mount", *command], stdout=output, stderr=subprocess.STDOUT, text=True)

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """The status and the output of a program."""
        process = self.start(arguments, environment)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output


@contextmanager
def built(target: str, base: str, shared: dict[str, Path]) -> Iterator[Image]:
    """A target's image and its file system, for as long as the context lasts."""
    name = f"localhost/atelier-test-{target}"
    build(target, base, name)
    container = buildah("from", name)
    try:
        config = json.loads(buildah("inspect", container))["OCIv1"]["config"]
        assert f"{ACCOUNT}:{ACCOUNT}" == config["User"]
        yield Image(Path(buildah("mount", container)), dict(pair.split("=", 1) for pair in config["Env"]), shared)
    finally:
        buildah("umount", container)
        buildah("rm", container)
        buildah("rmi", "--force", name)


def hadolint() -> Path:
    """The linter, which a wheel has put beside this Python."""
    return Path(sys.executable).with_name("hadolint")
