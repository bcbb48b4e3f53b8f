"""What is printed about a job."""

from collections.abc import Sequence

import msgspec

from atelier_client.models import JobBackend, JobRequest, Manifest, StatusAnswer
from cli.http.problems import in_commands
from cli.local.data_dir import DataDirectory
from cli.output.tables import format_time, print_facts, print_json

ENDED_EARLY = ("cancelled", "failed")
SHOWN_ELSEWHERE = ("callback_url", "model", "modality", "priority")
LONGEST_VALUE = 200
"""Characters that are shown of a parameter; a data: URL has millions."""


def print_job(job: StatusAnswer, as_json: bool) -> None:
    """Print a job, for a program or for a person."""
    if as_json:
        print_json(job)
        return
    print_facts(facts_of(job))


def asked_for(request: JobRequest | None) -> dict[str, object]:
    """Return the facts about the submit: the prompt, then the parameters that have a value."""
    if request is None:
        return {"prompt": "unknown: this API is older than the command line"}
    params = {name: value for name, value in (request.params or {}).items() if name not in SHOWN_ELSEWHERE}
    text: dict[str, object] = {name: params.pop(name) for name in ("prompt", "text") if name in params}
    given = [f"{name}={_shortened(value)}" for name, value in sorted(params.items()) if value not in (None, (), [], "")]
    return {
        **(text or {"prompt": None if params else "removed, when the retention of prompts ended"}),
        "parameters": "\n".join(given),
        "priority": request.priority,
        "deadline": format_time(request.deadline_at),
        "callback": request.callback_url,
        "tenant": request.tenant or request.tenant_id,
        "trace": request.trace_id,
    }


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def log_place(
    job: StatusAnswer, request: JobRequest | None, directory: DataDirectory, lines: Sequence[tuple[str, str]]
) -> str:
    """Return where the log lines about a job are."""
    if lines:
        files = ", ".join(f"{name}.log" for name in dict.fromkeys(name for name, _ in lines))
        return f"{len(lines)} lines in {files} of {directory.logs}; --log, or `atelier logs --job {job.job_id}`"
    places = ["the API", *([f"the worker {job.server_id}"] if job.server_id else []), "the CPU worker"]
    trace = f" or {request.trace_id}" if request is not None and request.trace_id else ""
    return f"lines with {job.job_id}{trace} in the logs of {', '.join(places)}"


def progress_of(job: StatusAnswer) -> str | None:
    """Return how far a job is, and in which stage; None for one that ended before it had begun."""
    if job.status in ENDED_EARLY:
        return f"ended at {job.progress:.0%}" if job.progress else None
    return " ".join(filter(None, [f"{job.progress:.0%}", job.stage]))


def facts_of(job: StatusAnswer) -> dict[str, object]:
    """Return the facts about the state of a job."""
    return {
        "job": job.job_id,
        "status": job.status,
        "modality": job.modality,
        "model": job.model,
        "server": job.server_id,
        "progress": progress_of(job),
        "queue position": job.queue_position,
        "waits for": f"{in_commands(job.waiting_for.message)} [{job.waiting_for.code}]" if job.waiting_for else None,
        "created": format_time(job.created_at),
        "started": format_time(job.started_at),
        "finished": format_time(job.finished_at),
        "seconds": job.processing_time_seconds,
        "attempt": job.attempt,
        "seed": job.seed,
        "redriven as": job.redriven_as,
        "redrive of": job.redrive_of,
        "error": f"{in_commands(job.error.message)} [{job.error.code}]" if job.error else None,
        "warnings": "\n".join(job.warnings),
        "outputs": "\n".join(output.url for output in job.outputs),
    }


def manifest_facts(made: Manifest) -> dict[str, object]:
    """Return the facts about what a job was made with; `--json` has the sha256 of each file of the weights."""
    again = made.reproduces
    sameness = {True: "the same files", False: "other files", None: "not known whether the files are the same"}
    return {
        "job": made.job_id,
        "model": made.model,
        "revision": made.revision,
        "weights": "\n".join(f"{one.bundle}: {len(one.files)} files" for one in made.weights),
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(made.versions.items())),
        "device": made.device,
        "backend": _format_backend(made.backend) if made.backend else None,
        "environment": made.environment_sha256,
        "seed": made.seed,
        "server": made.server_id,
        "seconds": ", ".join(f"{phase} {seconds}" for phase, seconds in made.timings.items()),
        "inputs": "\n".join(f"{one.sha256}  {one.name}" for one in made.inputs),
        "outputs": "\n".join(f"{one.sha256}  {one.media_type}" for one in made.outputs),
        "reproduces": f"{again.job_id}: {sameness[again.identical]}" if again else None,
    }


def _format_backend(backend: JobBackend) -> str:
    """Format who made a job, and why: `local (primary)`; a backend elsewhere has its kind too."""
    kind = [] if backend.kind == backend.name else [backend.kind]
    return f"{backend.name} ({', '.join([*kind, backend.reason])})"
