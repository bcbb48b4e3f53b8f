"""How long a job would run: by jobs like it, by others in proportion, by the catalog."""

import pytest

from api.estimates.run_time import LOAD_RATE, JobHistory
from jobs.statements.estimates.history import EndedJob
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.workload import Workload
from tests.support.paths import CATALOG

SPEC = load_catalog(CATALOG).get("chaos")
ASKED = {"width": 512, "height": 512, "quality": "standard", "num_images": 1}
WORKLOAD = Workload(kind="standard  0", size=512 * 512 / 1e6)


def job(seconds=4.0, device="cpu", params=ASKED, **more):
    facts = {"load_seconds": 0.0, "intake": 0.0, "characters": 0} | more
    return EndedJob(took=seconds + facts["load_seconds"], device=device, params=params, **facts)


def found(jobs, devices=("cpu",), workload=WORKLOAD):
    estimate = JobHistory(SPEC, jobs, devices).run(workload)
    return estimate.run.p50_seconds, estimate.basis, estimate.confidence, estimate.sample_size


@pytest.mark.parametrize(("count", "confidence"), [(5, "low"), (10, "medium"), (49, "medium"), (50, "high")])
def test_jobs_like_it_say_how_long_it_runs(count, confidence):
    others = [job(40.0, params=ASKED | {"width": 1024})] * 9
    assert (4.0, "like", confidence, count) == found([job()] * count + others)


def test_few_like_it_are_joined_by_those_of_the_nearest_work():
    near, far = job(6.0, params=ASKED | {"num_images": 2}), job(1.0, params=ASKED | {"num_images": 8})
    assert (3.0, "scaled", "low", 50) == found([job(3.0)] * 4 + [near] * 46 + [far] * 100)


def test_other_devices_count_where_there_is_nothing_else():
    slow = [job(9.0, device="old")] * 60
    assert (4.0, "like", "low", 5) == found([job()] * 5 + slow)
    assert (9.0, "scaled", "low", 50) == found(slow)
    assert (9.0, "like", "high", 60) == found(slow, devices=()), "no server is there, so any device may come"


def test_jobs_without_their_sizes_count_last():
    removed = [job(7.0, params={})] * 20
    assert (7.0, "scaled", "low", 20) == found(removed)
    assert (4.0, "like", "low", 5) == found([job()] * 5 + removed)


def test_before_any_job_it_is_the_catalogs_figure():
    assert (SPEC.estimated_seconds * 0.25, "catalog", "none", 0) == found([])


def test_loading_is_left_out_of_the_run_and_measured_by_itself():
    history = JobHistory(SPEC, [job(4.0, load_seconds=30.0), *[job(4.0)] * 5], ["cpu"])
    assert 4.0 == history.run(WORKLOAD).run.p50_seconds
    assert (30.0, 60.0) == (history.load(10**9).p50_seconds, history.load(10**9).p95_seconds)
    assert 10**9 / LOAD_RATE == JobHistory(SPEC, [job()], ["cpu"]).load(10**9).p50_seconds


def test_inputs_are_waited_for_as_long_as_those_of_such_jobs():
    with_input = job(intake=0.5, params=ASKED | {"input_image": "inp_1"})
    history = JobHistory(SPEC, [with_input, job(), job()], ["cpu"])
    assert 0.5 == history.intake(Workload(kind="standard  1")).p50_seconds
    assert 0.0 == history.intake(WORKLOAD).p50_seconds == history.intake(Workload(kind="pro  1")).p50_seconds
