"""`atelier up` and `atelier demo` as real processes, on a pipeline without weights."""

import io
import json
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
from rich.console import Console

from cli.demo.page import write_page
from cli.demo.run import DemoRun
from cli.demo.table import JOBS, DemoJob
from cli.http.client import Client
from cli.http.progress import job_bars
from cli.local.address import free_address
from cli.main import atelier
from tests.support.paths import CATALOG, ROOT
from tests.support.service.processes import alive, belongs, descendants
from tests.support.service.scrape import scrape
from tests.support.wait import until

START = 60.0
ATELIER = [sys.executable, "-m", "cli.main"]


class Up:
    """A running `atelier up` on `data`."""

    def __init__(self, data: Path, *options: str) -> None:
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
                [*ATELIER, "up", "--port", str(self.address.port), *options],
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def messages(self) -> str:
        return self.output.read_text()

    def await_ready(self) -> "Up":
        def ready() -> bool:
            assert self.process.poll() is None, self.messages()
            return "Atelier is ready at" in self.messages()

        until(ready, START, "`atelier up` to be ready")
        return self

    def run(self, *words: str, status: int = 0) -> str:
        """Run another command, which finds the service by its folder, in this process; return its output."""
        outcome = CliRunner().invoke(atelier, words, env=self.environment)
        assert status == outcome.exit_code, outcome.output
        return outcome.stdout if status == 0 else outcome.stderr

    def has_worker_in(self, state: str) -> bool:
        """Say whether a worker is in this state; False while the API does not answer."""
        return state in CliRunner().invoke(atelier, ["servers"], env=self.environment).stdout

    def family(self, words: str = "") -> set[int]:
        return {pid for pid in descendants(self.process.pid) if words in command_line(pid)}

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def free_pair() -> int:
    """Return a free port whose successor is free too."""
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
    """One `up` for the tests of a class; its end is checked too."""
    up = Up(tmp_path_factory.mktemp("up") / "data", "--dev")
    try:
        yield up.await_ready()
    except BaseException:
        up.end(signal.SIGTERM)
        raise
    family = up.family()
    assert 0 == up.end(signal.SIGTERM)
    assert not any(map(alive, family))
    assert not (up.data / "settings.env").exists()


@pytest.fixture
def start(tmp_path):
    """A function that starts an `up` of the test's own."""
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
    def test_it_prints_its_url_and_its_admin_key(self, service):
        until(lambda: "Kept in" in service.messages(), START, "the last line of the welcome")
        output = service.messages()
        key = (service.data / "admin.key").read_text().strip()
        assert f"Atelier is ready at http://127.0.0.1:{service.address.port}" in output
        assert f"The admin key is kept in {service.data}/admin.key: {key}\n" in output
        assert "development mode: callbacks, webhooks and inputs may lead to this machine's loopback" in output
        assert f"{ROOT}/cli/main.py generate image" in output  # the command as it was called
        assert f"Logs are in {service.data}/logs" in output
        assert re.search(
            rf"Kept in {service.data}: database [\d.]+ MB, .* free\. Outputs and prompts stay until", output
        )
        assert 0o600 == (service.data / "admin.key").stat().st_mode & 0o777

    def test_the_api_accepts_only_the_admin_key(self, service):
        key = (service.data / "admin.key").read_text().strip()
        url = f"{service.address.url}/servers/v1"
        assert 401 == httpx.get(url).status_code
        (server,) = httpx.get(url, headers={"X-API-Key": key}).json()["servers"]
        assert "local" == server["server_id"]
        assert server["alive"]

    def test_each_worker_has_metrics_of_its_own(self, service):
        def read(number: int, name: str, **labels: str) -> float | None:
            with suppress(httpx.TransportError):  # the service is ready with its first GPU worker
                return scrape(f"http://127.0.0.1:{service.metrics + number}/metrics").value(name, **labels)
            return None

        delivered = {"name": "atelier_webhook_deliveries_total", "outcome": "delivered"}
        until(lambda: read(0, **delivered) is not None, START, "a CPU worker that counts deliveries")
        until(lambda: read(1, "atelier_memory_budget_bytes"), START, "an engine that knows its memory")

    def test_an_image_is_generated_and_saved(self, service, tmp_path):
        target = tmp_path / "image.png"
        output = service.run("generate", "image", "anything", "-o", str(target), "--width", "128", "--height", "64")
        assert target.read_bytes().startswith(b"\x89PNG")
        assert str(target) in output
        assert "completed" in service.run("jobs", "list")

    def test_an_unknown_extension_is_refused(self, service, tmp_path):
        output = service.run("generate", "image", "anything", "-o", str(tmp_path / "image.gif"), status=2)
        assert ".webp" in output

    def test_a_refusal_of_the_api_is_shown(self, service, tmp_path):
        target = str(tmp_path / "image.png")
        output = service.run("generate", "image", "anything", "-o", target, "--model", "no-such-model", status=1)
        assert "unknown_model" in output

    def test_jobs_can_be_shown_and_cancelled(self, service, tmp_path):
        service.run("generate", "image", "anything", "-o", str(tmp_path / "a.png"))
        job_id = re.search(r"job_[0-9a-f]{32}", service.run("jobs", "list"))[0]
        assert "completed" in service.run("jobs", "show", job_id)
        assert '"status": "completed"' in service.run("jobs", "cancel", job_id, "--json")

    def test_a_job_goes_from_script_to_script(self, service, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        job_id = service.run("generate", "image", "anything", "--no-wait").strip()
        assert "completed" in service.run("jobs", "watch", job_id, "--timeout", "60s")
        (name,) = service.run("jobs", "download", job_id).split()
        assert f"{job_id}-0.webp" == name
        assert "there already" in service.run("jobs", "download", job_id, status=1)
        piped = CliRunner().invoke(atelier, ["jobs", "download", job_id, "-o", "-"], env=service.environment)
        assert Path(name).read_bytes() == piped.stdout_bytes
        assert f"{job_id} is deleted\n" == service.run("jobs", "delete", job_id)
        assert "unknown_job" in service.run("jobs", "show", job_id, status=1)

    def test_a_job_is_shown_with_its_request_and_its_log(self, service, tmp_path):
        service.run("generate", "image", "a zebrafinch", "-o", str(tmp_path / "a.png"), "--width", "128")
        job_id = re.search(r"job_[0-9a-f]{32}", service.run("jobs", "list"))[0]
        shown = service.run("jobs", "show", job_id, "--log")
        assert re.search("prompt +a zebrafinch\n", shown)
        assert re.search("parameters +.*width=128\n", shown, re.DOTALL)
        assert re.search(f"log +[0-9]+ lines in api.log, .*worker-local.log of {service.data}/logs", shown)
        assert f"submit: accepted job={job_id}" in shown
        assert f"submit: accepted job={job_id}" in service.run("logs", "api", "--job", job_id)
        facts = json.loads(service.run("jobs", "show", job_id, "--json"))
        assert (job_id, "completed") == (facts["job_id"], facts["status"])  # the answer of a status request
        assert "a zebrafinch" == facts["request"]["params"]["prompt"]
        assert "ready to accept connections" in service.run("logs", "postgres", "-n", "1000")
        elsewhere = service.run("jobs", "show", job_id, "--data", str(tmp_path), "--url", service.address.url, "--key",
                                (service.data / "admin.key").read_text().strip())  # fmt: skip
        assert f"lines with {job_id} in the logs of the API, the worker local" in " ".join(elsewhere.split())

    @pytest.mark.long
    def test_events_and_callbacks_come_to_this_machine(self, service):
        secret = service.run("webhooks", "secret").strip()
        heard = service.data / "heard"
        with heard.open("wb") as output:
            listening = subprocess.Popen(
                [*ATELIER, "webhooks", "listen", "--event", "job.failed", "--secret", secret],
                env=service.environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        line = until(lambda: re.search(r"(whk_\S+) listens at (http://127\S+);", heard.read_text()), START, "it")
        service.run("webhooks", "test", line[1])
        job_id = service.run("generate", "image", "anything", "--no-wait", "--callback-url", line[2]).strip()
        until(lambda: f"job.completed  {job_id}" in heard.read_text(), START, "the callback")
        until(lambda: f"webhook.test  {line[1]}" in heard.read_text(), START, "the test event")
        listening.send_signal(signal.SIGINT)
        assert 0 == listening.wait(START)
        assert heard.read_text().endswith(f"{line[1]} is removed.\n")
        assert line[1] not in service.run("webhooks", "list")

    def test_the_operators_commands_find_it(self, service):
        key = service.run("keys", "create", "--tenant", "shop").strip()
        answer = httpx.get(f"{service.address.url}/jobs/v1", headers={"X-API-Key": key})
        assert [] == answer.json()["jobs"]
        assert "whsec_" in service.run("webhooks", "secret", "--tenant", "shop")
        assert "PostgreSQL 18" in service.run("doctor")
        assert "chaos" in service.run("models")
        assert "local" in service.run("servers")
        assert "local: " in service.run("servers", "uncordon", "local")  # its key is an admin's

    def test_a_job_of_the_demo_that_fails_holds_up_no_other(self, service, tmp_path):
        jobs = [
            DemoJob("Broken", "image", {"prompt": "fail=on-purpose"}, "broken.webp"),
            DemoJob("Refused", "image", {"prompt": "anything", "width": 7}, "refused.webp"),
            DemoJob("Circle", "image", {"prompt": "<b>a circle</b>"}, "circle.webp"),
            DemoJob("Made of it", "remove-background", {"image_url": "broken.webp"}, "cutout.png"),
        ]
        key = (service.data / "admin.key").read_text().strip()
        with Client(service.address.url, key) as client, job_bars(Console(file=io.StringIO())) as bars:
            results = DemoRun(client, jobs, tmp_path, bars).run()
        assert ["failed", "failed", "completed", "left out"] == [result.status for result in results]
        assert "on-purpose" in results[0].error
        assert "width" in results[1].error
        assert "it is made of broken.webp, which was not made" == results[3].error
        text = write_page(tmp_path, results, 1.0).read_text()
        assert "made 1 of 4" in text
        assert "<q>&lt;b&gt;a circle&lt;/b&gt;</q>" in text
        assert_lists_all(tmp_path)

    def test_a_second_one_on_the_same_folder_is_refused(self, service):
        output = service.run("up", "--port", "0", status=1)
        said = " ".join(output.split())
        assert f"in use by another `atelier up` (process {service.process.pid})" in said
        assert f"which answers at {service.address.url}; use that one, end it, or choose another --data" in said
        assert service.process.poll() is None
        assert (service.data / "settings.env").exists()

    def test_a_port_in_use_is_refused(self, service, tmp_path):
        port = str(service.address.port)
        output = service.run("up", "--port", port, "--data", str(tmp_path / "other"), status=1)
        assert "choose another --port" in " ".join(output.split())

    @pytest.mark.matrix
    @pytest.mark.parametrize(
        "process", [pytest.param("cli.main worker cpu", marks=pytest.mark.long), "cli.main worker gpu", "cli.main api"]
    )
    def test_a_killed_service_is_restarted(self, service, process):
        (before,) = service.family(process)
        os.kill(before, signal.SIGKILL)
        until(lambda: service.family(process) - {before}, START, f"a new {process}")
        until(lambda: service.has_worker_in("idle"), START, "an API that sees a living worker")

    @pytest.mark.long
    @pytest.mark.parametrize("server", ["/postgres -D", "valkey-server"])
    def test_a_killed_server_is_restarted_with_its_data(self, service, server, tmp_path):
        before = min(service.family(server))
        os.kill(before, signal.SIGKILL)
        until(lambda: service.family(server) - {before}, START, f"a new {server}")
        until(lambda: service.has_worker_in("idle"), START, "the worker's next heartbeat")
        service.run("generate", "image", "anything", "-o", str(tmp_path / "a.png"))


@pytest.mark.long
def test_ctrl_c_waits_for_the_running_job_a_second_does_not(start):
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
    until(lambda: "press Ctrl-C again" in up.messages(), what="the message")
    assert up.process.poll() is None
    assert 0 == up.end(signal.SIGINT)
    assert not any(map(alive, family))
    assert "worker-local did not end in time and was killed" in up.messages()
    assert up.messages().endswith("atelier: stopped\n")


@pytest.mark.long
def test_a_setting_that_cannot_be_read_is_named(tmp_path):
    environment = {**os.environ, "ATELIER_LEASE_SECONDS": "soon", "COLUMNS": "300"}
    outcome = subprocess.run(
        [*ATELIER, "up", "--port", "0", "--data", str(tmp_path)],
        env=environment, capture_output=True, text=True, timeout=START, check=False,
    )  # fmt: skip
    assert 1 == outcome.returncode
    assert "ATELIER_LEASE_SECONDS" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.long
def test_ctrl_c_during_the_start_ends_every_process(tmp_path):
    up = Up(tmp_path / "data")
    until(lambda: "starting the API" in up.messages(), START, "the first services")
    family = up.family()
    assert 0 == up.end(signal.SIGINT)
    assert not any(map(alive, family))
    assert "ready" not in up.messages()


@pytest.mark.long
def test_kill_9_ends_every_process_and_allows_a_restart(start):
    up = start()
    family = up.family()
    key = (up.data / "admin.key").read_text()
    up.end(signal.SIGKILL)
    until(lambda: not any(map(alive, family)), 30, "every process to end")
    again = start(up.data)
    assert key == (up.data / "admin.key").read_text()
    assert key.strip() not in again.messages()
    assert "chaos" in again.run("models")


@pytest.mark.long
def test_the_demo_makes_every_modality_and_ends_everything(tmp_path):
    text = CATALOG.read_text()
    for modality, family in {"video": "demo-camera", "speech": "espeak"}.items():  # others are made of what these make
        text = re.sub(rf'".*"\n(modality = "{modality}")', rf'"{family}"\n\1', text)
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(text)
    environment = {**os.environ, "ATELIER_CATALOG": str(catalog), "TMPDIR": str(tmp_path / "tmp"), "NO_COLOR": "1"}
    (tmp_path / "tmp").mkdir()
    outcome = subprocess.run(
        [*ATELIER, "demo", "-o", str(tmp_path / "out"), "--json"],
        env=environment, capture_output=True, text=True, timeout=3 * START, check=False,
    )  # fmt: skip
    assert 0 == outcome.returncode, outcome.stderr
    answer = json.loads(outcome.stdout)
    made = {job["file"]: job for job in answer["jobs"] if job["status"] == "completed"}
    assert [job.file for job in JOBS if "model" not in job.fields] == [*made]  # one that names a model is left out here
    assert len(JOBS) == len(answer["jobs"])
    assert all(job["seconds"] > 0 and job["model"] and job["command"] for job in made.values())
    assert "Films, joined: completed\n" in outcome.stderr
    assert_lists_all(tmp_path / "out")
    assert str(tmp_path / "out" / "index.html") == answer["page"]
    assert [] == list((tmp_path / "tmp").iterdir())
    assert [] == [pid for pid in descendants(os.getpid()) if belongs(pid, tmp_path)]


def assert_lists_all(out: Path) -> None:
    """Check that the page of a demo shows each file beside it, and nothing that is not there."""
    links = set(re.findall(r'(?:href|src)="([^"]*)"', (out / "index.html").read_text()))
    assert {file.name for file in out.iterdir()} - {"index.html"} == links
