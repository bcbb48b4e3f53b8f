"""Which GPUs the stack starts a worker for, on machines that are made up."""

import pytest

from cli.local.gpus import GpuTrial
from cli.stack import worker_gpus
from cli.stack.worker_gpus import GpuUnusable, choose_gpus

GPUS = ["GPU-a", "GPU-b"]


class Machine:
    """A machine with these GPUs, of which some do not work, and with a torch for CUDA."""

    def __init__(self) -> None:
        self.gpus = GPUS
        self.shown = "/dev/nvidiactl"
        self.broken: set[str] = set()
        self.torch_has_cuda = True
        self.tried: list[str] = []
        self.printed: list[str] = []

    def try_gpus(self, gpus, interrupted):
        self.tried += gpus
        return [GpuTrial(gpu not in self.broken, "its driver is older than r580") for gpu in gpus]

    def choose(self, device="", *, falls_back=False):
        environment = {"ATELIER_DEVICE": device} if device else {}
        return choose_gpus(self.printed.append, falls_back=falls_back, environment=environment)


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    monkeypatch.setattr(worker_gpus, "visible_gpus", lambda _: made.gpus)
    monkeypatch.setattr(worker_gpus, "find_gpu", lambda _: made.shown)
    monkeypatch.setattr(worker_gpus, "torch_has_cuda", lambda: made.torch_has_cuda)
    monkeypatch.setattr(worker_gpus, "torch_version", lambda: "2.13.0")
    monkeypatch.setattr(worker_gpus, "try_gpus", made.try_gpus)
    return made


@pytest.mark.parametrize(
    ("device", "expected"), [("", GPUS), ("cuda", GPUS), ("cuda:1", ["GPU-b"]), ("cuda:2", ["2"]), ("cpu", [])]
)
def test_every_gpu_is_tried_or_the_one_that_is_named(machine, device, expected):
    assert expected == machine.choose(device)
    assert expected == machine.tried
    assert [] == machine.printed


def test_a_machine_without_a_gpu_computes_on_the_cpu(machine):
    machine.gpus, machine.shown = [], ""
    assert [] == machine.choose()
    assert ([], []) == (machine.tried, machine.printed)


def test_a_gpu_that_does_not_work_is_an_error(machine):
    machine.broken = {"GPU-b"}
    with pytest.raises(GpuUnusable, match="GPU GPU-b: its driver is older than r580"):
        machine.choose()


def test_a_gpu_that_nothing_lists_is_tried_for_torchs_reason(machine):
    machine.gpus, machine.broken = [], {"0"}
    with pytest.raises(GpuUnusable, match="older than r580"):
        machine.choose()


def test_the_demo_goes_on_on_the_cpu_and_says_so_in_one_line(machine):
    machine.broken = {"GPU-a"}
    assert [] == machine.choose(falls_back=True)
    assert ["computing on the CPU, since GPU GPU-a: its driver is older than r580"] == machine.printed


def test_a_torch_for_the_cpu_goes_on_on_the_cpu_and_says_so(machine):
    machine.torch_has_cuda = False
    assert [] == machine.choose()
    assert ["computing on the CPU, since torch 2.13.0 is built for it, although there is a GPU"] == machine.printed
    with pytest.raises(GpuUnusable, match=r"built for the CPU, not for cuda\. .* set ATELIER_DEVICE=cpu"):
        machine.choose("cuda")
