"""Chains while their CPU worker is killed: each step runs once, and the chain ends."""

from typing import Any

import pytest

from tests.support.service.service import Service
from tests.support.wait import until

pytestmark = pytest.mark.long


def test_a_killed_cpu_worker_loses_no_step(stack: Service) -> None:
    """It is killed while the first step computes, and once the second one has been given its input."""
    stack.api()
    stack.gpu("one")
    stack.cpu()
    size = {"modality": "image", "output_format": "png", "width": 64, "height": 64}
    steps = [
        {"name": "first", "prompt": "steps=4 compute=2", "model": "chaos", **size},
        {"name": "second", "prompt": "echo=1", "model": "chaos-edit", "input_image": "step:first", **size},
        {"name": "third", "prompt": "echo=1", "model": "chaos-edit", "input_image": "step:second", **size},
    ]
    answer = stack.client.post("/chains/v1", json={"steps": steps})
    assert 202 == answer.status_code, answer.text
    chain_id, jobs = answer.json()["chain_id"], [step["job"]["job_id"] for step in answer.json()["steps"]]
    stack.running(jobs[0])
    kill(stack)
    stack.ended(jobs[0])
    assert "pending" == stack.job(jobs[1]).status, "nothing but a CPU worker gives a step its inputs"
    stack.cpu()
    until(lambda: stack.job(jobs[1]).status != "pending", 30, "the second step to have its input")
    kill(stack)
    stack.cpu()
    until(lambda: chain(stack, chain_id)["status"] == "completed", 60, "the chain to be completed")
    ended = [stack.job(job_id) for job_id in jobs]
    assert [("completed", 1)] * 3 == [(job.status, job.attempt) for job in ended]
    assert jobs == [step["job"]["job_id"] for step in chain(stack, chain_id)["steps"]]
    assert 1 == len({job.artifacts[0].sha256 for job in ended}), "the later steps show the picture of the first"


def chain(stack: Service, chain_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = stack.client.get(f"/chains/v1/{chain_id}").json()
    return answer


def kill(stack: Service) -> None:
    stack.newest["cpu"].kill()
    stack.newest["cpu"].wait()
