"""The image `api`, built and run for real; where that cannot be done, the reason is in the test's output."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from cli.address import free_address
from cli.admin import create_key
from cli.client import ApiAway, Client
from cli.embedded import EmbeddedPostgres, EmbeddedValkey
from jobs.settings import read_settings
from tests.support import images
from tests.support.images import ACCOUNT, ROOT, Image
from tests.support.wait import until

REASON = images.lacking()
pytestmark = [pytest.mark.skipif(bool(REASON), reason=REASON), pytest.mark.long, pytest.mark.timeout(1800)]

BASE, NAME = "localhost/atelier-test-base", "localhost/atelier-test-api"
WORKER = "from-the-image"
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
            "ATELIER_DATABASE_URL": "postgresql://atelier@/atelier?host=/srv",
            "ATELIER_BROKER_URL": valkey.url,
            "ATELIER_SECRET_KEY": "a secret of the tests, and long enough",
            "ATELIER_STORAGE_URL": "file:///mnt/objects",
            "ATELIER_SCRATCH_DIR": "/mnt/scratch",
            "ATELIER_PUBLIC_URL": free_address().url,
        }
        yield settings, sockets


@pytest.fixture(scope="module")
def image(environment: tuple[Environment, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image on a Debian that was bootstrapped here, unpacked."""
    shared = tmp_path_factory.mktemp("shared")
    os.chown(shared, ACCOUNT, ACCOUNT)
    images.bootstrap(tmp_path_factory.mktemp("debian"), BASE)
    try:
        images.build("api", BASE, NAME)
        with images.unpacked(NAME) as made:
            made.shared = {"/mnt": shared, "/srv": environment[1]}
            status, output = made.run(["atelier", "migrate"], environment[0])
            assert 0 == status, output
            yield made
    finally:
        images.buildah("rmi", "--force", NAME, BASE)


@pytest.fixture(scope="module")
def service(
    image: Image, environment: tuple[Environment, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """API, CPU worker and a worker for what needs no torch, all from the image; and a client with a key."""
    (settings, sockets), logs = environment, tmp_path_factory.mktemp("logs")
    url = urlsplit(settings["ATELIER_PUBLIC_URL"])
    here = read_settings({**settings, "ATELIER_DATABASE_URL": f"postgresql://atelier@/atelier?host={sockets}"})
    _, key = create_key(here, tenant="studio", name="test")
    processes = {
        "api": image.start(
            ["atelier", "api", "--host", str(url.hostname), "--port", str(url.port)], settings, logs / "api"
        ),
        "cpu": image.start(["atelier", "worker", "cpu"], settings, logs / "cpu"),
        "gpu": image.start(["atelier", "worker", "gpu", "--server-id", WORKER], settings, logs / "gpu"),
    }

    def up() -> bool:
        for name, process in processes.items():
            assert process.poll() is None, (logs / name).read_text()
        try:
            return any(server.alive for server in client.servers())
        except ApiAway:
            return False

    try:
        with Client(settings["ATELIER_PUBLIC_URL"], key) as client:
            until(up, timeout=60, what="the service from the image")
            yield client
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(60)


def test_it_runs_as_an_account_that_may_write_nothing_but_its_scratch(image: Image) -> None:
    status, output = image.run(["sh", "-c", "id -u; touch /opt/atelier/x /x /tmp/x /mnt/x"], {})
    assert 0 != status
    assert str(ACCOUNT) == output.splitlines()[0]
    assert ["/opt/atelier/x", "/x"] == [line.split("'")[1] for line in output.splitlines()[1:]]


def test_there_is_no_torch_in_it_and_all_its_bytecode_is_compiled(image: Image) -> None:
    status, output = image.run(["python", "-c", "import torch"], {})
    assert (1, True) == (status, "No module named 'torch'" in output)
    header = "import api.app, os; c = api.app.__cached__; print(os.path.exists(c), open(c, 'rb').read(8)[4])"
    assert "True 1" == image.run(["python", "-c", header], {})[1].strip()  # PEP 552: by hash, unchecked


def test_the_doctor_finds_nothing_wrong(image: Image, environment: tuple[Environment, Path]) -> None:
    status, output = image.run(["atelier", "doctor"], environment[0])
    print(output)
    assert 0 == status, output
    assert "wrong" not in output


def test_a_film_is_made_by_what_is_in_it(service: Client, tmp_path: Path) -> None:
    body = {"input_image": service.source(str(PHOTO)), "prompt": "slow zoom in", "width": 320, "height": 192}
    job_id = service.submit("/generate/video/v1", {**body, "duration_seconds": 1.0, "model": "demo-camera"})
    job = until(lambda: (found := service.job(job_id)).finished_at and found, timeout=120, what="the film")
    assert ("completed", None) == (job.status, job.error)
    assert job.result_url is not None
    service.download(job.result_url, tmp_path / "film.mp4")
    assert b"ftyp" == (tmp_path / "film.mp4").read_bytes()[4:8]


@pytest.mark.usefixtures("service")
def test_a_probe_of_the_chart_passes_in_it(image: Image) -> None:
    find = 'test -n "$(find /mnt/scratch/gpu-worker.ready -newermt "-120 seconds")"'
    until(lambda: image.run(["sh", "-c", find], {}) == (0, ""), what="the worker's file", every=0.5)
