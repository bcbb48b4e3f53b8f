"""Both images, built and run for real; where that cannot be done, the reason is in the test's output."""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import PIL.Image
import psycopg
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from cli.http.client import Client
from cli.http.problems import ApiUnavailable
from cli.local.address import free_address
from cli.operator.admin import create_key
from core.settings import read_settings
from scripts.release import images as release_images
from scripts.release import sbom
from tests.support.checkpoints import tiny_checkpoints
from tests.support.checkpoints.specs import entry
from tests.support.deploy import images
from tests.support.deploy.images import ACCOUNT, ROOT, Image
from tests.support.service.model_service import write_models
from tests.support.wait import until

REASON = images.lacking()
pytestmark = [pytest.mark.skipif(bool(REASON), reason=REASON), pytest.mark.long, pytest.mark.timeout(3600)]

BASE = "localhost/atelier-test-base"
GPU_ENTRYPOINT = "/opt/atelier/image/entrypoint.sh"
WORKER = "from-the-image"
CATALOG = entry("sdxl", family="diffusers-image", modality="image", capabilities=["text-to-image"]) + entry(
    "demo-camera", family="demo-camera", modality="video", source=None, capabilities=["image-to-video"]
)
PHOTO = ROOT / "docs" / "images" / "product.jpg"

Environment = dict[str, str]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Environment, Path]]:
    """Settings of the processes in the image, and the folder of the database's socket, which they see as /srv."""
    with (
        EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as postgres,
        EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey,
    ):
        (postgres.data / "pg_hba.conf").write_text("local all all trust\n")  # in the image we are another account
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
        sockets = Path(parse_qs(urlsplit(postgres.url).query)["host"][0])
        sockets.chmod(0o755)
        settings = {
            "ATELIER_CATALOG": "/mnt/models.toml",
            "ATELIER_WEIGHTS_DIR": "/mnt/weights",
            "ATELIER_WEIGHTS_LOCK": "/mnt/weights.lock",
            "ATELIER_DATABASE_URL": "postgresql://atelier@/atelier?host=/srv",
            "ATELIER_BROKER_URL": valkey.url,
            "ATELIER_SECRET_KEY": "a secret of the tests of 32 bytes",
            "ATELIER_STORAGE_URL": "file:///mnt/objects",
            "ATELIER_SCRATCH_DIR": "/mnt/scratch",
            "ATELIER_PUBLIC_URL": free_address().url,
        }
        yield settings, sockets


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Debian that was bootstrapped here."""
    images.bootstrap(tmp_path_factory.mktemp("debian"), BASE)
    yield BASE
    images.buildah("rmi", "--force", BASE)


@pytest.fixture(scope="module")
def shared(environment: tuple[Environment, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of this machine by where the images' processes see them: models, objects, and the database's socket."""
    folder = tmp_path_factory.mktemp("shared")
    os.chown(folder, ACCOUNT, ACCOUNT)
    tiny_checkpoints.save("sdxl", folder / "weights" / "sdxl")
    write_models(folder, CATALOG, folder / "weights")
    for file in (folder / "weights").rglob("*.safetensors"):  # which only their writer may read, so far
        file.chmod(0o644)
    return {"/mnt": folder, "/srv": environment[1]}


@pytest.fixture(scope="module")
def api_image(base: str, shared: dict[str, Path], environment: tuple[Environment, Path]) -> Iterator[Image]:
    with images.built("api", base, shared) as image:
        status, output = image.run(["atelier", "migrate"], environment[0])
        assert 0 == status, output
        yield image


@pytest.fixture(scope="module")
def gpu_image(base: str, shared: dict[str, Path]) -> Iterator[Image]:
    with images.built("gpu", base, shared) as image:
        yield image


@pytest.fixture(scope="module", params=["api", "gpu"])
def image(request: pytest.FixtureRequest) -> Image:
    """Each of the two."""
    return request.getfixturevalue(f"{request.param}_image")


@pytest.fixture(scope="module")
def service(
    api_image: Image,
    gpu_image: Image,
    environment: tuple[Environment, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    """API and CPU worker of one image, and a GPU worker of the other, as in the chart; and a client with a key."""
    (settings, sockets), logs = environment, tmp_path_factory.mktemp("logs")
    url = urlsplit(settings["ATELIER_PUBLIC_URL"])
    here = read_settings({**settings, "ATELIER_DATABASE_URL": f"postgresql://atelier@/atelier?host={sockets}"})
    _, key = create_key(here, tenant="studio", name="test")
    processes = {
        "api": api_image.start(
            ["atelier", "api", "--host", str(url.hostname), "--port", str(url.port)], settings, logs / "api"
        ),
        "cpu": api_image.start(["atelier", "worker", "cpu"], settings, logs / "cpu"),
        "gpu": gpu_image.start([GPU_ENTRYPOINT, "worker", "gpu", "--server-id", WORKER], settings, logs / "gpu"),
    }

    def up() -> bool:
        for name, process in processes.items():
            assert process.poll() is None, (logs / name).read_text()
        try:
            return any(server.alive for server in client.servers())
        except ApiUnavailable:
            return False

    try:
        with Client(settings["ATELIER_PUBLIC_URL"], key) as client:
            until(up, timeout=120, what="the service from the images")
            yield client
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(60)


def made(service: Client, job_id: str, file: Path) -> Path:
    """The output of a job once it has ended well."""
    job = until(lambda: (found := service.job(job_id)).finished_at and found, timeout=180, what=file.name)
    assert ("completed", None) == (job.status, job.error)
    assert job.result_url is not None
    service.download(job.result_url, file)
    return file


def test_image_runs_as_an_account_that_writes_scratch_only(image: Image) -> None:
    status, output = image.run(["sh", "-c", "id -u; touch /opt/atelier/x /x /tmp/x /mnt/x"], {})
    assert 0 != status
    assert str(ACCOUNT) == output.splitlines()[0]
    assert ["/opt/atelier/x", "/x"] == [line.split("'")[1] for line in output.splitlines()[1:]]


def test_torch_is_only_in_the_one_for_gpu_workers(api_image: Image, gpu_image: Image) -> None:
    status, output = api_image.run(["python", "-c", "import torch"], {})
    assert (1, True) == (status, "No module named 'torch'" in output)
    assert (0, "") == gpu_image.run(["python", "-c", "import torch"], {})


def test_all_its_bytecode_is_compiled(image: Image) -> None:
    header = "import api.app, os; c = api.app.__cached__; print(os.path.exists(c), open(c, 'rb').read(8)[4])"
    assert "True 1" == image.run(["python", "-c", header], {})[1].strip()  # PEP 552: by hash, unchecked


@pytest.mark.usefixtures("api_image")
def test_a_release_saves_it_and_lists_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    saved = release_images.save("buildah", "localhost/atelier-test-api", tmp_path / "api.oci.tar")
    with tarfile.open(saved.archive) as archive:
        manifest = archive.extractfile(f"blobs/{saved.digest.replace(':', '/')}")
        assert manifest is not None
        assert saved.digest == f"sha256:{hashlib.sha256(manifest.read()).hexdigest()}"
    bill = json.loads(sbom.bill("atelier-api", "1.2.3", 1_700_000_000, saved.inventory, built=True))
    found = {one["purl"].partition("@")[0]: one for one in bill["components"]}
    assert {"pkg:pypi/litestar", "pkg:deb/debian/libc6", "pkg:deb/debian/python3.11"} <= found.keys()
    assert "pkg:pypi/torch" not in found
    assert [{"license": {"name": "GPL-2, LGPL-2.1"}}] == found["pkg:deb/debian/libc6"]["licenses"]


def test_the_doctor_finds_nothing_wrong(image: Image, environment: tuple[Environment, Path]) -> None:
    status, output = image.run(["atelier", "doctor"], environment[0])
    print(output)
    assert 0 == status, output
    assert "wrong" not in output


def test_what_numba_compiles_came_with_it(gpu_image: Image) -> None:
    enter = f"{GPU_ENTRYPOINT} --version && touch /tmp/now && python -c 'import librosa.effects, rembg'"
    look = "find /tmp/.cache/numba -name '*.nbc' | wc -l && find /tmp/.cache/numba -type f -newer /tmp/now | wc -l"
    status, output = gpu_image.run(["sh", "-c", f"{enter} && {look}"], {})
    assert 0 == status, output
    read, added = map(int, output.splitlines()[-2:])
    assert read > 10
    assert 0 == added


def test_a_picture_is_made_by_a_diffusion_model(service: Client, tmp_path: Path) -> None:
    body = {"prompt": "a red apple", "model": "sdxl", "width": 64, "height": 64, "num_inference_steps": 3}
    file = made(service, service.submit("/generate/image/v1", body).job_id, tmp_path / "picture.png")
    assert (64, 64) == PIL.Image.open(file).size


def test_a_film_is_made_of_a_photo(service: Client, tmp_path: Path) -> None:
    body = {"input_image": service.source(str(PHOTO)), "prompt": "slow zoom in", "width": 320, "height": 192}
    job = service.submit("/generate/video/v1", {**body, "duration_seconds": 1.0, "model": "demo-camera"})
    assert b"ftyp" == made(service, job.job_id, tmp_path / "film.mp4").read_bytes()[4:8]


@pytest.mark.usefixtures("service")
def test_a_probe_of_the_chart_passes_in_it(gpu_image: Image) -> None:
    find = 'test -n "$(find /mnt/scratch/gpu-worker.ready -newermt "-120 seconds")"'
    until(lambda: gpu_image.run(["sh", "-c", find], {}) == (0, ""), what="the worker's file", every=0.5)
