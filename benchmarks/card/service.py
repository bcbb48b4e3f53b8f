"""Ratios 1 to 3 of the whole service, for a machine that has its database too."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.card.cases import Case
from benchmarks.families.timed import busy_fraction, take_log
from benchmarks.report import Figure
from benchmarks.running.loop import bare_loop
from benchmarks.running.serving import serve
from benchmarks.running.stack import running


def service(case: Case, settings: dict[str, str], folder: Path) -> Iterator[Figure]:
    """Jobs through API, queue and store. The loop ends before: two copies of the model need not fit."""
    body = case.body | {"model": case.model}
    with bare_loop(settings) as loop:
        computing = loop(case.model, case.body, case.count, encode=False).total
        inline = loop(case.model, case.body, case.count, encode=True).total
    with running(settings) as started:
        serve(started.client, case.modality, body, 1)
        take_log(folder)
        served = serve(started.client, case.modality, body, case.count)
        busy = busy_fraction(take_log(folder))
    yield Figure(f"{case.model}: 1, service / bare loop, compute only", computing / served, "", "≥ 0.98")
    yield Figure(f"{case.model}: 2, service / loop that encodes inline", inline / served, "", case.inline)
    yield Figure(f"{case.model}: 3, engine-busy fraction in the service", busy, "", "≥ 0.98")
    yield Figure(f"{case.model}: service, seconds a job", served / case.count, "s")
