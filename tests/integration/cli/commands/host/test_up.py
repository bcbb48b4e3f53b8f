"""`atelier up` and `atelier demo`, as a person runs them: real processes, on a pipeline without weights."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from cli.local.address import free_address
from cli.main import atelier
from tests.support.paths import CATALOG
from tests.support.service.processes import alive, descendants
from tests.support.service.scrape import scrape
from tests.support.wait import until

START = 60.0
ATELIER = [sys.executable, "-m", "cli.main"]


class Up:
    """A running `atelier up` on `data`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.address = free_address()
        self.metrics = free_pair()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")},
            "ATELIER_CATALOG": str(CATALOG),
            "ATELIER_DATA": str(data),
            "ATELIER_METRICS_PORT": str(self.metrics),
            "NO_COLOR": "1",
            "COLUMNS": "300",
        }
        self.output = data.with_suffix(".output")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*ATELIER, "up", "--port", str(self.address.port)],
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def says(self) -> str:
        return self.output.read_text()

    def await_ready(self) -> "Up":
        def ready() -> bool:
            assert self.process.poll() is None, self.says()
            return "Atelier is ready at" in self.says()

        until(ready, START, "`atelier up` to be ready")
        return self

    def run(self, *words: str, status: int = 0) -> str:
        """What another command says that finds the service by its folder; run in this process, which is faster."""
        outcome = CliRunner().invoke(atelier, words, env=self.environment)
        assert status == outcome.exit_code, outcome.output
        return outcome.stdout if status == 0 else outcome.stderr

    def says_it_is(self, state: str) -> bool:
        """Whether a worker is in that state; not so while a part is away."""
        return state in CliRunner().invoke(atelier, ["servers"], env=self.environment).stdout

    def family(self, words: str = "") -> set[int]:
        return {pid for pid in descendants(self.process.pid) if words in command_line(pid)}

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def free_pair() -> int:
    """A port that nobody listens on, nor on the next one."""
    while True:
        with suppress(OSError), socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            with socket.create_server(("127.0.0.1", port + 1)):
                return port


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """One `up` that the tests below share, and that ends well."""
    up = Up(tmp_path_factory.mktemp("up") / "data").await_ready()
    yield up
    family = up.family()
    assert 0 == up.end(signal.SIGTERM)
    assert not any(map(alive, family))
    assert not (up.data / "settings.env").exists()


@pytest.fixture
def start(tmp_path):
    """Starts an `up` of the test's own."""
    started = []

    def make(data: Path | None = None) -> Up:
        started.append(Up(data or tmp_path / "data"))
        return started[-1].await_ready()

    yield make
    for up in started:
        if up.process.poll() is None:
            up.process.kill()
        up.process.wait()


class TestWhileItRuns:
    def test_it_says_where_it_is_and_what_the_admin_key_is(self, service):
        said = service.says()
        key = (service.data / "admin.key").read_text().strip()
        assert f"Atelier is ready at http://127.0.0.1:{service.address.port}" in said
        assert f"Admin key, shown this once: {key}" in said
        assert 0o600 == (service.data / "admin.key").stat().st_mode & 0o777

    def test_the_admin_key_opens_the_api(self, service):
        key = (service.data / "admin.key").read_text().strip()
        url = f"{service.address.url}/servers/v1"
        assert 401 == httpx.get(url).status_code
        (server,) = httpx.get(url, headers={"X-API-Key": key}).json()["servers"]
        assert "local" == server["server_id"]
        assert server["alive"]

    def test_each_worker_has_metrics_of_its_own(self, service):
        def told(number: int, name: str, **labels: str) -> float | None:
            with suppress(httpx.TransportError):  # the service is ready with its first GPU worker
                return scrape(f"http://127.0.0.1:{service.metrics + number}/metrics").value(name, **labels)
            return None

        delivered = {"name": "atelier_webhook_deliveries_total", "outcome": "delivered"}
        until(lambda: told(0, **delivered) is not None, START, "a CPU worker that counts deliveries")
        until(lambda: told(1, "atelier_memory_budget_bytes"), START, "an engine that knows its memory")

    def test_a_picture_is_made_and_saved(self, service, tmp_path):
        target = tmp_path / "picture.png"
        said = service.run("generate", "image", "anything", "-o", str(target), "--width", "128", "--height", "64")
        assert target.read_bytes().startswith(b"\x89PNG")
        assert str(target) in said
        assert "completed" in service.run("jobs", "list")

    def test_a_wrong_ending_is_refused_before_anything_is_made(self, service, tmp_path):
        said = service.run("generate", "image", "anything", "-o", str(tmp_path / "picture.gif"), status=2)
        assert ".webp" in said

    def test_the_services_refusal_is_shown_in_its_own_words(self, service, tmp_path):
        target = str(tmp_path / "picture.png")
        said = service.run("generate", "image", "anything", "-o", target, "--model", "no-such-model", status=1)
        assert "unknown_model" in said

    def test_jobs_can_be_shown_and_cancelled(self, service, tmp_path):
        service.run("generate", "image", "anything", "-o", str(tmp_path / "a.png"))
        job_id = re.search(r"job_[0-9a-f]{32}", service.run("jobs", "list"))[0]
        assert "completed" in service.run("jobs", "show", job_id)
        assert '"status": "completed"' in service.run("jobs", "cancel", job_id, "--json")

    def test_the_operators_commands_find_it(self, service):
        key = service.run("keys", "create", "--tenant", "shop").strip()
        answer = httpx.get(f"{service.address.url}/jobs/v1", headers={"X-API-Key": key})
        assert [] == answer.json()["jobs"]
        assert "whsec_" in service.run("webhooks", "secret", "--tenant", "shop")
        assert "PostgreSQL 18" in service.run("doctor")
        assert "chaos" in service.run("models")
        assert "local" in service.run("servers")
        assert "local: " in service.run("servers", "uncordon", "local")  # its key is an admin's

    def test_a_second_one_on_the_same_folder_is_refused(self, service):
        said = service.run("up", "--port", "0", status=1)
        assert f"in use by another `atelier up` (process {service.process.pid})" in " ".join(said.split())
        assert service.process.poll() is None
        assert (service.data / "settings.env").exists()

    def test_a_port_in_use_is_refused(self, service, tmp_path):
        port = str(service.address.port)
        said = service.run("up", "--port", port, "--data", str(tmp_path / "other"), status=1)
        assert "choose another --port" in " ".join(said.split())

    @pytest.mark.parametrize(
        "part", [pytest.param("cli.main worker cpu", marks=pytest.mark.long), "cli.main worker gpu", "cli.main api"]
    )
    def test_a_part_that_is_killed_comes_back(self, service, part):
        (before,) = service.family(part)
        os.kill(before, signal.SIGKILL)
        until(lambda: service.family(part) - {before}, START, f"a new {part}")
        until(lambda: service.says_it_is("idle"), START, "an API that sees a living worker")

    @pytest.mark.parametrize("server", ["/postgres -D", "valkey-server"])
    def test_a_server_that_is_killed_comes_back_with_what_it_had(self, service, server, tmp_path):
        before = min(service.family(server))
        os.kill(before, signal.SIGKILL)
        until(lambda: service.family(server) - {before}, START, f"a new {server}")
        until(lambda: service.says_it_is("idle"), START, "the worker's next heartbeat")
        service.run("generate", "image", "anything", "-o", str(tmp_path / "a.png"))


def test_ctrl_c_waits_for_the_running_job_and_a_second_one_does_not(start):
    up = start()
    making = subprocess.Popen(
        [*ATELIER, "generate", "image", "compute=300 steps=3", "-o", str(up.data / "never.png")],
        env=up.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: "processing" in up.run("jobs", "list"), START, "the job to run")
    making.kill()
    making.wait()
    family = up.family()
    assert len(family) >= 6
    up.process.send_signal(signal.SIGINT)
    until(lambda: "press Ctrl-C again" in up.says(), what="it to say so")
    assert up.process.poll() is None
    assert 0 == up.end(signal.SIGINT)
    assert not any(map(alive, family))
    assert "worker-local did not end in time and was killed" in up.says()
    assert up.says().endswith("atelier: stopped\n")


def test_a_setting_that_can_not_be_read_is_named(tmp_path):
    environment = {**os.environ, "ATELIER_LEASE_SECONDS": "soon", "COLUMNS": "300"}
    outcome = subprocess.run(
        [*ATELIER, "up", "--port", "0", "--data", str(tmp_path)],
        env=environment, capture_output=True, text=True, timeout=START, check=False,
    )  # fmt: skip
    assert 1 == outcome.returncode
    assert "ATELIER_LEASE_SECONDS" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.long
def test_ctrl_c_while_it_starts_ends_it_as_well(tmp_path):
    up = Up(tmp_path / "data")
    until(lambda: "starting the API" in up.says(), START, "the first parts")
    family = up.family()
    assert 0 == up.end(signal.SIGINT)
    assert not any(map(alive, family))
    assert "ready" not in up.says()


@pytest.mark.long
def test_kill_9_leaves_no_process_and_the_folder_usable(start):
    up = start()
    family = up.family()
    key = (up.data / "admin.key").read_text()
    up.end(signal.SIGKILL)
    until(lambda: not any(map(alive, family)), 30, "every process to end")
    again = start(up.data)
    assert key == (up.data / "admin.key").read_text()
    assert "Admin key" not in again.says()
    assert "chaos" in again.run("models")


def test_the_demo_makes_something_of_every_modality_and_leaves_nothing_behind(tmp_path):
    environment = {**os.environ, "ATELIER_CATALOG": str(CATALOG), "TMPDIR": str(tmp_path / "tmp"), "NO_COLOR": "1"}
    (tmp_path / "tmp").mkdir()
    before = descendants(os.getpid())
    outcome = subprocess.run(
        [*ATELIER, "demo", "-o", str(tmp_path / "out")],
        env=environment, capture_output=True, text=True, timeout=START, check=False,
    )  # fmt: skip
    assert 0 == outcome.returncode, outcome.stderr
    made = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"product-cutout.png", "product.glb", "product.mp4", "product.wav"} < made
    assert 3 == sum(name.endswith(".webp") for name in made)
    rows = outcome.stdout.splitlines()
    assert any(re.match(r"what +in queue +computing +file", row) for row in rows)
    assert 7 == sum(any(name in row for name in made) and " s " in row for row in rows)
    assert [] == list((tmp_path / "tmp").iterdir())
    assert descendants(os.getpid()) == before
