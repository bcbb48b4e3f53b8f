"""The run of the demo: every job is submitted as soon as what it is made of is there."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich.progress import Progress

from atelier_client.models import StatusAnswer
from cli.demo.table import IMAGES, DemoJob
from cli.demo.typed import command_line
from cli.http.client import Client
from cli.http.problems import ApiError, in_commands
from cli.http.progress import describe
from cli.local.program import program

POLL_SECONDS = 0.4
MOST_JOBS = 100
"""Jobs of a page of the API's list, in which those of the demo are the newest."""
LEFT_OUT: Literal["left out"] = "left out"
BROUGHT_BY = {
    "transcript": "`make transcripts` brings one to a checkout",
    "demo-labels": "`make descriptions` brings it to a checkout",
}
"""How a model comes that setting up leaves out, by its id where a job names it, else by the modality."""


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job; `file`, `preview` and the `sources` of its inputs are names of files.

    `command` makes it again, with the same model and seed. `seconds` were computing, `queue_seconds` before that.
    """

    title: str
    modality: str
    status: Literal["completed", "failed", "left out"]
    prompt: str
    sources: list[str]
    file: str | None = None
    preview: str | None = None
    model: str | None = None
    queue_seconds: float | None = None
    seconds: float | None = None
    command: str
    warnings: list[str] = []
    error: str | None = None


class DemoRun:
    """The jobs of a table on their way, shown by a bar each."""

    def __init__(self, client: Client, jobs: Sequence[DemoJob], out: Path, bars: Progress) -> None:
        self._client, self._jobs, self._out, self._bars = client, jobs, out, bars
        self._served = {name for model in client.models() if model.available for name in (model.modality, model.id)}
        self._shown = {job.file: bars.add_task(job.title, total=1.0, doing="waits") for job in jobs}
        self._uploads = dict[str, str]()
        self._ids = dict[str, str]()
        self._results = dict[str, DemoResult]()

    def run(self) -> list[DemoResult]:
        """Run all jobs and download their outputs; return the results in the order of the table.

        One that is refused or fails does not hold up the others; those that are made of it are left out, as is a job
        that no server has a model for. Raises `ApiError` where the API does not answer.
        """
        while len(self._results) < len(self._jobs):
            for job in self._jobs:
                if job.file not in self._ids and job.file not in self._results:
                    self._begin(job)
            self._look()
            if len(self._results) < len(self._jobs):
                time.sleep(POLL_SECONDS)
        return [self._results[job.file] for job in self._jobs]

    def _begin(self, job: DemoJob) -> None:
        """Submit a job if it can be, or end it if it never can."""
        made = {one.file: one for one in self._jobs}
        inputs = [made[name] for name in job.sources if name in made]
        missing = next((one for one in inputs if self._has_failed(one)), None)
        needed = job.fields.get("model", job.modality)
        if not {job.modality, needed} <= self._served:
            way = BROUGHT_BY.get(needed, f"`{program()} weights list` shows what is fetched")
            self._end(job, LEFT_OUT, error=f"no server here has a model for it; {way}")
        elif missing is not None:
            self._end(job, LEFT_OUT, error=f"it is made of {missing.file}, which was not made")
        elif all(one.file in self._results for one in inputs):
            try:
                body = _with_media(job, self._source)
                self._ids[job.file] = self._client.submit(job.modality, **body).job_id
            except ApiError as error:
                self._end(job, "failed", error=error.message)

    def _has_failed(self, job: DemoJob) -> bool:
        return job.file in self._results and self._results[job.file].status != "completed"

    def _source(self, name: str) -> str:
        """Return how the API knows a file: the output of a job, or an upload."""
        if name in self._ids:
            return f"output:{self._ids[name]}/0"
        if name not in self._uploads:
            self._uploads[name] = self._client.source(str(IMAGES / name))
        return self._uploads[name]

    def _look(self) -> None:
        """Show how far the jobs are, and end those that have ended."""
        answers = {answer.job_id: answer for answer in self._client.jobs(limit=MOST_JOBS)}
        for job in self._jobs:
            answer = answers.get(self._ids.get(job.file, ""))
            if answer is None or job.file in self._results:
                continue
            if answer.finished_at is None:
                self._bars.update(self._shown[job.file], completed=answer.progress, doing=describe(answer))
            elif answer.status == "completed" and answer.outputs:
                self._download(job, answer)
            else:
                reason = in_commands(answer.error.message) if answer.error else f"it was {answer.status}"
                self._end(job, "failed", answer, error=reason)

    def _download(self, job: DemoJob, answer: StatusAnswer) -> None:
        """Save an output, and the picture of one that cannot be looked at."""
        first, *others = answer.outputs
        self._client.download(first, self._out / job.file)
        pictures = [one for one in others if one.media_type == "image/png" != first.media_type]
        preview = f"{job.file.replace('.', '-')}.png" if pictures else None
        if preview is not None:
            self._client.download(pictures[-1], self._out / preview)
        self._end(job, "completed", answer, preview=preview)

    def _end(
        self,
        job: DemoJob,
        status: Literal["completed", "failed", "left out"],
        answer: StatusAnswer | None = None,
        *,
        preview: str | None = None,
        error: str | None = None,
    ) -> None:
        self._results[job.file] = DemoResult(
            title=job.title,
            modality=job.modality,
            status=status,
            prompt=job.prompt,
            sources=job.sources,
            file=job.file if status == "completed" else None,
            preview=preview,
            model=answer.model if answer else None,
            queue_seconds=_seconds_queued(answer),
            seconds=answer.processing_time_seconds if answer else None,
            command=f"{program()} {self._typed(job, answer)}",
            warnings=answer.warnings if answer else [],
            error=error,
        )
        self._bars.update(self._shown[job.file], doing=status, completed=1.0 if status == "completed" else None)
        self._bars.stop_task(self._shown[job.file])
        if not self._bars.console.is_terminal:
            line = f"{job.title}: {status}{f' ({error})' if error else ''}"
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _typed(self, job: DemoJob, answer: StatusAnswer | None) -> str:
        """Return the command line of a job, with the model and the seed that it had."""
        fields = _with_media(job, self._path)
        if answer is not None:
            drawn = {"seed": answer.seed} if answer.seed is not None and hasattr(job.spec.params, "seed") else {}
            fields |= drawn | {"model": answer.model}
        return command_line(job.spec, fields, str(self._out / job.file))

    def _path(self, name: str) -> str:
        """Return a file as it is typed: from the working directory, if it is below it."""
        if name in self._shown:
            return str(self._out / name)
        path = os.path.relpath(IMAGES / name)
        return str(IMAGES / name) if path.startswith("..") else path


def _with_media(job: DemoJob, named: Callable[[str], str]) -> dict[str, Any]:
    """Return the fields of a job, with its media as `named` has them."""
    body = job.body
    for field in job.spec.params.media.keys() & body.keys():
        value = body[field]
        body[field] = named(value) if isinstance(value, str) else [*map(named, value)]
    return body


def _seconds_queued(answer: StatusAnswer | None) -> float | None:
    if answer is None or answer.started_at is None:
        return None
    return (answer.started_at - answer.created_at).total_seconds()
