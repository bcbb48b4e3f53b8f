"""Which base an image is built on, and the digest of an archive."""

import hashlib
import json

import pytest

from scripts.release import archives, images
from tests.support.paths import ROOT


def test_a_base_is_the_default_or_an_argument_of_the_build():
    assert "docker.io/library/debian:bookworm-slim" == images.base(ROOT, "api", [])
    assert images.base(ROOT, "gpu", []).startswith("docker.io/nvidia/cuda:")
    given = ["--isolation=chroot", "--build-arg=API_BASE_IMAGE=localhost/base", "--build-arg=BASE_IMAGE=localhost/cuda"]
    assert "localhost/base" == images.base(ROOT, "api", given)
    assert "localhost/cuda" == images.base(ROOT, "gpu", given)


def test_digest_is_that_of_the_manifest_in_the_archive(tmp_path):
    manifest = json.dumps({"schemaVersion": 2, "layers": []}).encode()
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    index = json.dumps({"schemaVersion": 2, "manifests": [{"digest": digest, "size": len(manifest)}]}).encode()
    files = [("index.json", index, False), (f"blobs/sha256/{digest[7:]}", manifest, False)]
    assert digest == images.digest(archives.write_tar(tmp_path / "image.oci.tar", files, 0))
    without = archives.write_tar(tmp_path / "old.tar", files[1:], 0)
    assert images.digest(without).startswith("unknown")


def test_without_a_program_no_image_can_be_built(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "" == images.builder()


@pytest.mark.parametrize("status", [0, 1])
def test_a_builder_is_one_that_answers(tmp_path, monkeypatch, status):
    program = tmp_path / "podman"
    program.write_text(f"#!/bin/sh\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ("" if status else "podman") == images.builder()
