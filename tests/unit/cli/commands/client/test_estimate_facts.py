"""What is printed about an estimate."""

import pytest

from atelier_client.models import EstimateAnswer, SecondsRange, Waiting
from cli.commands.client.estimate_facts import facts_of_estimate

SECONDS = SecondsRange(p50_seconds=3.14159, p95_seconds=6.0)
NONE = SecondsRange(p50_seconds=0.0, p95_seconds=0.0)


def facts(**more):
    usual = {
        "modality": "image",
        "model": "chaos",
        "wait": NONE,
        "load": NONE,
        "run": SECONDS,
        "total": SECONDS,
        "basis": "like",
        "confidence": "high",
        "sample_size": 212,
        "jobs_ahead": 0,
        "waiting_for": None,
        "model_loaded": True,
        "server_id": "gpu-1",
        "device": "cpu",
        "price_usd": 0.0,
        "credits": 0.0,
        "balance_remaining_usd": None,
    }
    return facts_of_estimate(EstimateAnswer(**usual | more))


def test_an_estimate_says_each_part_and_what_it_follows_from():
    assert {
        "model": "chaos",
        "total": "3.14 s, 95 % within 6 s",
        "wait": "starts at once on gpu-1",
        "load": "none: the model is in memory",
        "run": "3.14 s, 95 % within 6 s, by 212 jobs like it (confidence: high)",
        "device": "cpu",
        "cost": "nothing",
    } == facts()


@pytest.mark.parametrize(
    ("more", "name", "expected"),
    [
        ({"basis": "catalog"}, "run", "3.14 s, 95 % within 6 s, by the catalog: no such job has run here yet"),
        ({"price_usd": 0.02, "credits": 2.0}, "cost", "0.02 USD, 2 credits"),
        (
            {"price_usd": 0.02, "credits": 2.0, "balance_remaining_usd": 1.5},
            "cost",
            "0.02 USD, 2 credits; 1.5 USD are left",
        ),
        ({"total": None}, "total", "unknown"),
        (
            {"wait": None, "waiting_for": Waiting(code="tenant_paused", message="It is paused.")},
            "wait",
            "It is paused.",
        ),
        (
            {
                "wait": SECONDS,
                "server_id": None,
                "jobs_ahead": 2,
                "waiting_for": Waiting(code="queue", message="Wait."),
            },
            "wait",
            "3.14 s, 95 % within 6 s; jobs ahead: 2. Wait.",
        ),
    ],
)
def test_an_estimate_says_why_it_waits_and_what_it_costs(more, name, expected):
    assert expected == facts(**more)[name]
