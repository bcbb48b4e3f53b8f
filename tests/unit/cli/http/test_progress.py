"""The progress of a job, from a client with a scripted event stream."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from atelier_client.models import ProgressEvent, WaitReason
from cli.http.problems import ApiUnavailable
from cli.http.progress import describe, job_bars, watch


class Scripted:
    """A client of a service that serves `chaos` alone; the job's model is `sdxl`."""

    def __init__(self, *events):
        self.events = events

    def subscribe(self, job_id):
        yield from self.events

    def job(self, job_id):
        return SimpleNamespace(job_id=job_id, status="completed", progress=1.0, model="sdxl", modality="image")

    def models(self):
        models = ("chaos", "image", True), ("chaos-speech", "speech", True), ("flux", "image", False)
        return [SimpleNamespace(id=name, modality=kind, available=available) for name, kind, available in models]


def shown(*events):
    """What is printed while a job with these events is watched."""
    output = io.StringIO()
    with job_bars(Console(file=output, width=200)) as bar:
        watch(Scripted(*events), "job_1", bar, bar.add_task("job_1", total=1.0, doing="submitted"))
    return output.getvalue()


def queued(code):
    return ProgressEvent(status="queued", queue_position=1, waiting_for=code and WaitReason(code=code, message="…"))


def test_a_job_without_a_server_is_noted_once():
    printed = shown(queued("no_server_for_model"), queued("no_server_for_model"))
    assert 1 == printed.count("job_1 waits: no running server serves sdxl; here: chaos. `atelier weights fetch sdxl`")


@pytest.mark.parametrize("event", [queued("no_server_for_model"), queued("queue")])
def test_a_bar_of_80_columns_has_its_time_on_one_line(event):
    bar = job_bars(Console(file=io.StringIO(), width=80))
    bar.add_task(f"job_{'0' * 32}", total=1.0, doing=describe(event))
    bar.tasks[0].start_time -= 134
    with bar.console.capture() as printed:
        bar.console.print(bar.get_renderable())
    (line,) = printed.get().splitlines()
    assert line.endswith(f"{describe(event)} 2 min 14 s")


def test_an_api_that_is_away_leaves_out_the_note(monkeypatch):
    def models(self):
        raise ApiUnavailable("away")

    monkeypatch.setattr(Scripted, "models", models)
    assert "running server" not in shown(queued("no_server_for_model"))


def test_a_job_that_waits_its_turn_is_not_noted():
    assert "no running server" not in shown(queued("queue"), queued("of a newer API"), queued(None))
