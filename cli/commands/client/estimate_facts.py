"""What is printed about the estimate of a job."""

from atelier_client.models import EstimateAnswer, SecondsRange
from cli.http.problems import in_commands
from cli.output.tables import print_facts, print_json


def print_estimate(estimate: EstimateAnswer, as_json: bool) -> None:
    """Print an estimate, for a program or for a person."""
    if as_json:
        print_json(estimate)
        return
    print_facts(facts_of_estimate(estimate))


def facts_of_estimate(estimate: EstimateAnswer) -> dict[str, object]:
    """Return the facts about an estimate, by their titles."""
    cost = f"{estimate.price_usd:g} USD, {estimate.credits:g} credits" if estimate.price_usd else "nothing"
    left = estimate.balance_remaining_usd
    return {
        "model": estimate.model,
        "total": "unknown" if estimate.total is None else _seconds(estimate.total),
        "wait": _wait(estimate),
        "load": "none: the model is in memory" if estimate.model_loaded else _seconds(estimate.load),
        "run": f"{_seconds(estimate.run)}, by {_basis(estimate)}",
        "device": estimate.device,
        "cost": cost if left is None else f"{cost}; {left:g} USD are left",
    }


def _wait(estimate: EstimateAnswer) -> str:
    reason = "" if estimate.waiting_for is None else in_commands(estimate.waiting_for.message)
    if estimate.wait is None:
        return reason
    parts = [_seconds(estimate.wait)] if estimate.wait.p95_seconds else []
    if estimate.server_id is not None:
        parts.append(f"starts at once on {estimate.server_id}")
    if estimate.jobs_ahead:
        parts.append(f"jobs ahead: {estimate.jobs_ahead}")
    return ". ".join([*filter(None, ["; ".join(parts), reason])])


def _basis(estimate: EstimateAnswer) -> str:
    if estimate.basis == "catalog":
        return "the catalog: no such job has run here yet"
    jobs = "jobs like it" if estimate.basis == "like" else "jobs of other sizes"
    return f"{estimate.sample_size} {jobs} (confidence: {estimate.confidence})"


def _seconds(part: SecondsRange) -> str:
    return f"{part.p50_seconds:.3g} s, 95 % within {part.p95_seconds:.3g} s"
