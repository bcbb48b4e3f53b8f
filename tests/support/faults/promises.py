"""The checker: compares the records of a run with each other and names every breach of the promises G1 to G8.

It is asked when nothing is under way any more, so whatever is unfinished then is a breach too.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
from standardwebhooks import Webhook

from core.errors.failures import AttemptsExhausted, EngineLost, StageDeadlineExceeded
from jobs.job import TERMINAL
from tests.support.faults.callers import Exchange
from tests.support.faults.records import Records
from tests.support.servers.webhook_receiver import Received

LATE = timedelta(seconds=60)
"""How long after its deadline a job may take to end."""
OUT_OF_ATTEMPTS = {kind.code for kind in (AttemptsExhausted, EngineLost, StageDeadlineExceeded)}
"""Codes of a job whose last attempt was lost."""
ENDINGS = {f"job.{status}" for status in TERMINAL}


class Breach(msgspec.Struct, frozen=True):
    """A promise that was not kept, of which job, and what shows it."""

    promise: str
    job_id: str
    what: str


def breaches(records: Records) -> list[Breach]:
    """Every breach that the records show, in the order of the promises."""
    return [Breach(promise, job_id, what) for promise, check in PROMISES for job_id, what in check(records)]


Finding = tuple[str, str]


def accepted_jobs_are_there(records: Records) -> Iterator[Finding]:
    """G1: what was answered 2xx has a row, unless its caller may have deleted it."""
    known = {row.id for row in records.jobs}
    deleted = {
        exchange.job_id
        for exchange in records.exchanges
        if exchange.verb == "delete" and (exchange.good or not exchange.status)
    }
    accepted = {exchange.job_id for exchange in records.exchanges if exchange.verb == "submit" and exchange.good}
    yield from ((job_id, "was accepted, and it does not exist") for job_id in accepted - known - deleted)
    hidden = {exchange.job_id for exchange in records.exchanges if exchange.verb == "look" and exchange.status == 404}
    yield from ((job_id, "was accepted, then answered 404") for job_id in (accepted & hidden) - deleted)


def jobs_end_once(records: Records) -> Iterator[Finding]:
    """G2: one terminal state, in time, sent as one event."""
    seen = defaultdict(set)
    for exchange in records.exchanges:
        if exchange.verb in ("submit", "look") and exchange.state in TERMINAL:
            seen[exchange.job_id].add(exchange.state)
    for row in records.jobs:
        if row.status not in TERMINAL:
            yield row.id, f"is still {row.status}"
            continue
        if row.finished_at > row.deadline_at + LATE:
            yield row.id, f"ended {row.finished_at - row.deadline_at} after its deadline"
        if seen[row.id] - {row.status}:
            yield row.id, f"is {row.status}, and was seen as {', '.join(sorted(seen[row.id]))}"
    endings = Counter((row.job_id, row.url) for row in records.outbox if row.type in ENDINGS)
    yield from ((job_id, f"has {count} terminal events") for (job_id, _), count in endings.items() if count > 1)


def outputs_are_whole(records: Records) -> Iterator[Finding]:
    """G3: a completed job has all outputs of one attempt, as stored; another job has none; callers saw no other set."""
    seen = defaultdict(set)
    for exchange in records.exchanges:
        if exchange.outputs:
            seen[exchange.job_id].add(exchange.outputs)
            if exchange.state != "completed":
                yield exchange.job_id, f"showed outputs while it was {exchange.state}"
    for row in records.jobs:
        if row.status != "completed" and row.artifacts:
            yield row.id, f"is {row.status} and has outputs"
        if row.status != "completed" or row.deleted_at is not None:
            continue
        if len(row.artifacts) != row.params.get("num_images", 1):
            yield row.id, f"has {len(row.artifacts)} outputs of {row.params.get('num_images', 1)}"
        for artifact in row.artifacts:
            stored = records.objects.get(artifact["key"])
            if stored != artifact["sha256"]:
                yield row.id, "an output is not in the store" if stored is None else "an output is not what was stored"
            if not artifact["key"].startswith(f"{row.tenant}/{row.id}/{row.fence}/"):
                yield row.id, "an output is of another attempt"
            if any(preview["key"] not in records.objects for preview in artifact.get("previews", ())):
                yield row.id, "a preview is not in the store"
        if seen[row.id] - {tuple(artifact["sha256"] for artifact in row.artifacts)}:
            yield row.id, "other outputs were seen before"


def attempts_are_bounded(records: Records) -> Iterator[Finding]:
    """G4: at most `max_attempts`, and none given up before."""
    for row in records.jobs:
        if row.attempt > row.max_attempts:
            yield row.id, f"had {row.attempt} attempts of {row.max_attempts}"
        if not 0 <= row.attempt <= row.fence:
            yield row.id, f"had {row.attempt} attempts in {row.fence} claims"
        code = row.error["code"] if row.error else ""
        if code in OUT_OF_ATTEMPTS and row.attempt < row.max_attempts:
            yield row.id, f"was given up after {row.attempt} attempts of {row.max_attempts}"


def endings_are_delivered(records: Records) -> Iterator[Finding]:
    """G5: every end reached its receiver: signed, under one id, as the row has it, and nothing after it."""
    received = _deliveries_of(records.received)
    for row in records.jobs:
        of_job = received[row.id]
        if any(not _is_signed(one, records.secrets[row.tenant]) for one in of_job):
            yield row.id, "a delivery is not signed by its tenant's secret"
        if row.status not in TERMINAL or row.deleted_at is not None:
            continue
        endings = [one for one in of_job if one.data["type"] in ENDINGS]
        if row.callback_url is not None and not endings:
            yield row.id, "its end was not delivered"
        if any(one.data["data"]["status"] != row.status for one in endings):
            yield row.id, f"is {row.status}, and another end was delivered"
        for path in {one.path for one in endings}:
            ids = [one.id for one in of_job if one.path == path]
            last = next(one.id for one in endings if one.path == path)
            if len({one.id for one in endings if one.path == path}) > 1:
                yield row.id, "its end was delivered under several ids"
            elif any(other != last for other in ids[ids.index(last) :]):
                yield row.id, "an event was delivered after its end"


def keys_give_one_job(records: Records) -> Iterator[Finding]:
    """G6: one key, one job; with another body, none."""
    answered: dict[str, list[Exchange]] = defaultdict(list)
    unknown = 0
    for exchange in records.exchanges:
        if exchange.verb == "submit" and exchange.key and exchange.good:
            answered[exchange.key].append(exchange)
        unknown += exchange.verb == "submit" and not exchange.key and not exchange.status
    for key, answers in answered.items():
        first = answers[0]
        if len({exchange.job_id for exchange in answers}) > 1:
            yield first.job_id, f"the key {key} gave other jobs too"
        if len({exchange.body for exchange in answers}) > 1:
            yield first.job_id, f"the key {key} was taken with two bodies"
    stored = {row.key: row.job_id for row in records.keys}
    for key in answered.keys() & stored.keys():
        if stored[key] != answered[key][0].job_id:
            yield stored[key], f"holds the key {key} of another job"
    owned = {exchange.job_id for exchange in records.exchanges if exchange.verb == "submit" and exchange.good} | set(
        stored.values()
    )
    extra = [row.id for row in records.jobs if row.id not in owned]
    if len(extra) > unknown:
        yield from ((job_id, "belongs to no caller: no answer names it, and no key holds it") for job_id in extra)


def cancels_hold(records: Records) -> Iterator[Finding]:
    """G7: a job is cancelled when, and only when, the answer said so."""
    state = {row.id: row.status for row in records.jobs}
    asked = {exchange.job_id for exchange in records.exchanges if exchange.verb in ("cancel", "delete")}
    for exchange in records.exchanges:
        if exchange.verb == "cancel" and exchange.good and exchange.state != state.get(exchange.job_id, exchange.state):
            yield exchange.job_id, f"is {state[exchange.job_id]}; the cancel was answered {exchange.state}"
        elif exchange.verb == "cancel" and exchange.good and exchange.state not in TERMINAL:
            yield exchange.job_id, f"the cancel was answered {exchange.state}"
    for job_id, status in state.items():
        if status == "cancelled" and job_id not in asked:
            yield job_id, "is cancelled, and no caller asked for it"


def deletions_hold(records: Records) -> Iterator[Finding]:
    """G8: nothing is left of what was deleted, and nothing comes back."""
    deleted = {
        exchange.job_id: exchange.answered
        for exchange in records.exchanges
        if exchange.verb == "delete" and exchange.good
    }
    for exchange in records.exchanges:
        if exchange.verb == "look" and exchange.good and exchange.asked > deleted.get(exchange.job_id, exchange.asked):
            yield exchange.job_id, "was seen after it was deleted"
    for row in records.jobs:
        if row.id in deleted and row.deleted_at is None:
            yield row.id, "was deleted, and is there"
        elif row.deleted_at is not None and (row.params or row.artifacts or row.warnings or row.error):
            yield row.id, "was deleted, and what its caller wrote is there"
    gone = deleted.keys() | {row.id for row in records.jobs if row.deleted_at is not None}
    for key in records.objects:
        if key.split("/")[1] in gone:
            yield key.split("/")[1], f"was deleted, and {key} is there"
    for row in records.outbox:
        if row.job_id in gone and row.delivered_at is row.given_up_at is row.superseded_at is None:
            yield row.job_id, "was deleted, and a delivery of it is open"


PROMISES: tuple[tuple[str, Callable[[Records], Iterator[Finding]]], ...] = (
    ("G1", accepted_jobs_are_there),
    ("G2", jobs_end_once),
    ("G3", outputs_are_whole),
    ("G4", attempts_are_bounded),
    ("G5", endings_are_delivered),
    ("G6", keys_give_one_job),
    ("G7", cancels_hold),
    ("G8", deletions_hold),
)


def _deliveries_of(received: Iterable[Received]) -> dict[str, list[Received]]:
    jobs: dict[str, list[Received]] = defaultdict(list)
    for one in received:
        jobs[one.data["data"].get("job_id")].append(one)
    return jobs


def _is_signed(one: Received, secrets: Iterable[str]) -> bool:
    """Whether one of the signatures is right; at its own time, since a run is longer than a receiver's patience."""
    sent = datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), UTC)
    signatures = one.headers["webhook-signature"].split()
    return any(Webhook(secret).sign(one.id, sent, one.body.decode()) in signatures for secret in secrets)
