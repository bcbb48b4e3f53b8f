"""How long a new job would wait, by what runs and waits."""

import pytest

from api.estimates.queue_wait import CandidateServer, JobsAhead, candidates, count, jobs_ahead, queue_wait
from jobs.statements.estimates.backlog import RunningJob, WaitingJobs
from jobs.wire.estimates.estimate import SecondsRange
from jobs.wire.wait_reasons import Reason


def server(server_id="gpu-1", **facts):
    usual = {"alive": True, "desired": "active", "state": "idle", "dedicated": False, "device": "cpu"}
    usual |= {"serves": ("chaos",), "resident": (), "current_job": None}
    return CandidateServer(server_id=server_id, **usual | facts)


def waiting(jobs, tenant="mine", priority=5, model="chaos"):
    return WaitingJobs(model=model, priority=priority, tenant=tenant, jobs=jobs)


def running(progress=0.0, model="chaos"):
    return RunningJob(id="job_1", model=model, progress=progress)


def pace(model):
    return (
        SecondsRange(p50_seconds=4.0, p95_seconds=7.0)
        if model == "chaos"
        else SecondsRange(p50_seconds=10.0, p95_seconds=10.0)
    )


@pytest.mark.parametrize(
    ("fleet", "asked", "strict", "expected"),
    [
        ([server()], None, True, ["gpu-1"]),
        ([], None, True, Reason.NO_SERVER_FOR_MODEL),
        ([server(serves=("other",)), server(alive=False)], None, True, Reason.NO_SERVER_FOR_MODEL),
        ([server(dedicated=True)], None, True, Reason.NO_SERVER_FOR_MODEL),
        ([server(desired="draining")], None, True, Reason.SERVER_CORDONED),
        ([server(state="store_away")], None, True, Reason.STORE_AWAY),
        ([server(), server("gpu-2", dedicated=True)], "gpu-2", True, ["gpu-2"]),
        ([server(), server("gpu-2", alive=False)], "gpu-2", True, Reason.SERVER_OFFLINE),
        ([server(), server("gpu-2", alive=False)], "gpu-2", False, ["gpu-1"]),
        ([server(), server("gpu-2")], "gpu-2", False, ["gpu-2"]),
    ],
)
def test_servers_that_may_take_a_job_or_why_none_may(fleet, asked, strict, expected):
    found = candidates(fleet, "chaos", asked, strict=strict)
    assert expected == (found.reason or [one.server_id for one in found.servers])


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([], 0),
        ([waiting(3), waiting(2, model="other"), waiting(9, priority=4)], 5),
        ([waiting(3, tenant="theirs", priority=6)], 3),
        ([waiting(100, tenant="theirs")], 0.5),  # either of the two has the next turn
        ([waiting(2), waiting(100, tenant="theirs"), waiting(1, tenant="few")], 2 + 2.5 + 1),
        ([waiting(6, tenant="theirs"), waiting(2, tenant="theirs", model="other")], 0.5),
    ],
)
def test_tenants_take_turns_before_a_new_job(groups, expected):
    assert expected == pytest.approx(sum(each.jobs for each in jobs_ahead(groups, "mine", 5)))


def test_a_half_turn_counts_as_a_job():
    assert (1, 0) == (count([JobsAhead(model="chaos", jobs=0.5)]), count([]))


@pytest.mark.parametrize(
    ("servers", "runs", "ahead", "expected"),
    [
        ([server()], [], [], (0.0, 0.0)),
        ([server(), server(current_job="job_1")], [running()], [], (0.0, 0.0)),
        ([server(current_job="job_1")], [running(0.5)], [], (2.0, 3.5)),
        ([server(current_job="job_1")], [], [], (0.0, 0.0)),  # it has just ended
        ([server()], [], [JobsAhead(model="chaos", jobs=1)], (4.0, 7.0)),
        ([server(current_job="job_1")] * 2, [running(), running()], [JobsAhead(model="other", jobs=2)], (14.0, 16.121)),
    ],
)
def test_the_servers_share_what_is_unfinished(servers, runs, ahead, expected):
    found = queue_wait(servers, runs, ahead, pace)
    assert expected == pytest.approx((found.p50_seconds, found.p95_seconds), abs=0.001)
