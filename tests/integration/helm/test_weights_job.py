"""The Job that fills the weights volume: its command line, run as rendered, for every model of the catalog.

The catalog and the names in its lock are the shipped ones. The contents are small, so the lock has their facts where
the shipped one has facts, and none where that has none. Repositories come from a hub on loopback, files by `url` from a
web server there.
"""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from pipelines.catalog.loader import SHIPPED, Catalog, load_catalog
from pipelines.catalog.spec import ModelSpec
from pipelines.weights.files import is_pickle
from pipelines.weights.local_lock import local_lock, read_locks
from pipelines.weights.lockfile import Lock, LockedFile, LockedModel, read_lock, write_lock
from pipelines.weights.verify import verify
from tests.support.deploy.chart import containers, environment, over, render, values
from tests.support.paths import ROOT, TLS
from tests.support.servers.hub import Hub, Machine, Proxy, sha256

HOST, OURS = "https://github.com/", "https://hooks.example/"
"""Where files by `url` are, and a name that the tests have a certificate for."""
READ_ONLY = """#!{python}
import sys
from cli.main import atelier
from cli.weights.context import WeightsContext
WeightsContext.can_write = False  # as in the image; a test may run as root, who may write anywhere
sys.exit(atelier())
"""
GUESSED = "qwen-image-2512"
"""A model of which the shipped lock does not even know the names of its files."""
MODALITIES = {
    "image",
    "video",
    "speech",
    "3d",
    "remove-background",
    "text",
    "upscale",
    "sound",
    "transcript",
    "embedding",
    "avatar",
    "music",
    "segment",
}


def remote(catalog: Catalog) -> list[ModelSpec]:
    return [spec for spec in catalog.models if spec.source.is_remote]


def content(key: str, path: str) -> bytes:
    """A small file of the right kind; no two are alike."""
    if is_pickle(path):
        made = io.BytesIO()
        torch.save({"weight": torch.ones(3), "name": torch.tensor(list(f"{key} {path}".encode()))}, made)
        return made.getvalue()
    if path.endswith(".safetensors"):
        return save({"weight": torch.ones(3), "name": torch.tensor(list(f"{key} {path}".encode()))})
    return f"{key} {path}".encode()


def publish(catalog: Catalog, hub: Hub, web: Hub) -> Lock:
    """Put a file under each name of the shipped lock, and return that lock with the facts of these."""
    locked = read_lock()
    made = dict[str, LockedModel]()
    for bundle in (bundle for spec in remote(catalog) for bundle in spec.bundles):
        source, known = bundle.source, locked.models[bundle.key].files
        files = {path: content(source.repo or bundle.key, path) for path in known}
        if source.repo and source.revision:
            hub.repos.setdefault((source.repo, source.revision), {}).update(files)
        elif source.url:
            (web.plain["/" + source.url.removeprefix(OURS)],) = files.values()
        facts = {
            path: LockedFile(size=known[path].size and len(data), sha256=known[path].sha256 and sha256(data))
            for path, data in files.items()
        }
        made[bundle.key] = LockedModel(files=facts, repo=source.repo, revision=source.revision, url=source.url)
    source = catalog.get(GUESSED).source
    hub.repos[source.repo, source.revision]["vae/model.safetensors"] = content("vae", "model.safetensors")  # type: ignore[index]
    return Lock(made)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A volume and a lock that cannot be written, beside a hub and a web server that have every file of the catalog."""
    with Hub() as hub, Hub(certificate=TLS / "server.pem") as web, Proxy(web.port) as proxy:
        machine = Machine(tmp_path, hub)
        machine.catalog.write_text(SHIPPED.read_text().replace(f'{{ url = "{HOST}', f'{{ url = "{OURS}'))
        write_lock(publish(load_catalog(machine.catalog), hub, web), machine.lock_file)
        machine.environment |= {"HTTPS_PROXY": proxy.url, "ATELIER_CA_BUNDLE": str(TLS / "ca.pem")}
        program = tmp_path / "bin" / "atelier"
        program.parent.mkdir()
        program.write_text(READ_ONLY.format(python=sys.executable))
        program.chmod(0o755)
        machine.environment |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        machine.weights.mkdir()
        yield machine


def job(models: list[str], machine: Machine) -> tuple[list[str], dict[str, str]]:
    """The command of the Job for these models, and its settings, with the machine's folder as its volume."""
    made = render(over(values("least"), {"weights": {"models": models, "volume": "shared"}}))
    (found,) = [one for one in made if one["kind"] == "Job" and "-weights-" in one["metadata"]["name"]]
    (container,) = containers(found["spec"]["template"])
    command = [word.replace("/weights/", f"{machine.weights}/") for word in container["command"]]
    assert "/weights" == environment(container)["ATELIER_WEIGHTS_DIR"]
    return command, machine.environment


def test_every_model_of_the_catalog_comes(machine: Machine) -> None:
    catalog, before = load_catalog(machine.catalog), machine.lock_file.read_bytes()
    command, settings = job([spec.id for spec in remote(catalog)], machine)

    done = subprocess.run(command, cwd=machine.folder, env=settings, capture_output=True, text=True, timeout=200)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert MODALITIES == {spec.modality for spec in remote(catalog)}
    lock = read_locks(machine.lock_file, machine.weights, catalog)
    for spec in remote(catalog):
        verify(spec, lock, machine.weights)
    assert [] == [file.name for file in machine.weights.rglob("*") if is_pickle(file.name)]
    assert 1 == len(list(machine.weights.glob(".complete-*"))), "the mark that workers wait for"
    assert "vae/model.safetensors" in lock.models[GUESSED].files
    assert before == machine.lock_file.read_bytes()
    assert local_lock(machine.weights).exists()
