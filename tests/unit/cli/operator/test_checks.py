"""What `atelier doctor` says of a GPU, on machines that are made up."""

import httpx
import pytest

from cli.local.gpus import GpuTrial
from cli.operator import checks
from cli.operator.checks import CheckStatus, api, device
from core.settings import Settings
from tests.support.paths import TLS


@pytest.fixture
def machine(monkeypatch):
    def make(torch="2.13.0", gpus=(), shown="", trials=()):
        monkeypatch.setattr(checks, "torch_version", lambda: torch)
        monkeypatch.setattr(checks, "torch_has_cuda", lambda: not torch.endswith("+cpu"))
        monkeypatch.setattr(checks, "visible_gpus", lambda: list(gpus))
        monkeypatch.setattr(checks, "find_gpu", lambda: shown)
        monkeypatch.setattr(checks, "try_gpus", lambda gpus: list(trials))

    return make


GOOD = GpuTrial(True, "NVIDIA H200, driver 580.65.06")
BAD = GpuTrial(False, "torch cannot use cuda:0: its driver is older than r580")


@pytest.mark.parametrize(
    ("found", "wanted", "status", "text"),
    [
        ({"gpus": ["a"], "trials": [GOOD]}, "", CheckStatus.OK, "multiplies on NVIDIA H200, driver 580.65.06"),
        ({"gpus": ["a", "b"], "trials": [GOOD, BAD]}, "", CheckStatus.ERROR, "GPU b: torch cannot use cuda:0"),
        ({"shown": "/dev/nvidiactl", "trials": [BAD]}, "", CheckStatus.ERROR, "older than r580"),
        ({"trials": [BAD]}, "cuda:0", CheckStatus.ERROR, "older than r580"),
        ({"gpus": ["a"], "trials": [BAD]}, "cpu", CheckStatus.OK, "as ATELIER_DEVICE says"),
        ({}, "", CheckStatus.WARNING, "compute on the CPU"),
        ({"torch": "2.13.0+cpu"}, "", CheckStatus.WARNING, "computes on the CPU"),
        ({"torch": "2.13.0+cpu"}, "cuda:0", CheckStatus.ERROR, "built for the CPU"),
        ({"torch": ""}, "", CheckStatus.WARNING, "not installed"),
    ],
)
def test_the_device_that_workers_will_have(machine, found, wanted, status, text):
    machine(**found)
    answer = device(Settings(device=wanted))
    assert status == answer[0]
    assert text in answer[1]


def test_the_api_is_asked_at_its_public_url(monkeypatch):
    asked = {}

    def answer(url, **options):
        asked[url] = options
        if ":1/" in url:
            raise httpx.ConnectError("refused")
        return httpx.Response(200 if url.startswith("http://good") else 503, text="schema_behind")

    monkeypatch.setattr(httpx, "get", answer)
    assert (CheckStatus.OK, "ready at http://good:80") == api(Settings(public_url="http://good:80/"))
    status, text = api(Settings(public_url="http://bad"))
    assert (CheckStatus.ERROR, "http://bad/health/ready answers 503: schema_behind") == (status, text)
    assert ["http://good:80/health/ready", "http://bad/health/ready"] == list(asked)
    status, text = api(Settings(public_url="http://127.0.0.1:1/"))
    assert (CheckStatus.ERROR, "nothing answers at http://127.0.0.1:1") == (status, text.partition(",")[0])
    api(Settings(public_url="https://good", ca_bundle=str(TLS / "ca.pem")))
    options = asked["https://good/health/ready"]
    assert not options["trust_env"]  # a proxy of the environment is for what is outside
    assert 1 == len(options["verify"].get_ca_certs())
