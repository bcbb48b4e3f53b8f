"""The answers of a batch: a file of JSON lines, each with the answer that its request would have had by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, Row

from core.errors.unknown import OutputExpired, UnknownOutput
from core.settings import Settings
from core.storage.store import Store
from jobs.batches import AnswerFormat, LineProblem, RequestBatch
from jobs.job import Job, JobStatus, job_from_row
from jobs.statements.batches import work
from jobs.statements.queue.tenant_jobs import all_visible
from jobs.wire.dialects.openai import error_body, failure_of, failure_status, images_answer, video_answer

PAGE = 50
"""Lines that are read at once; the files of their images are in memory one after the other."""
WRITE_SECONDS = 60.0
"""How long a worker may take to write a page before another one does it, too."""
GONE = LineProblem(OutputExpired.code, "The job of this line was deleted, or its files were removed.", 410)


class AnswerWriter:
    """Writes the answers of batches to files."""

    def __init__(self, settings: Settings, db: Engine, store: Store) -> None:
        self._settings = settings
        self._db = db
        self._store = store

    def write(self, batch: RequestBatch, status: str, target: Path) -> int:
        """Write the answers of the lines of a status, and return their number. Raises `StorageUnavailable`."""
        number = 0
        with target.open("wb") as file:
            for line, job in self._lines(batch, status):
                file.write(msgspec.json.encode(self._answer(batch, line, job)) + b"\n")
                number += 1
        return number

    def _lines(self, batch: RequestBatch, status: str) -> Iterator[tuple[Row[Any], Job | None]]:
        last = 0
        while True:
            with self._db.begin() as connection:
                connection.execute(work.look_again(batch.id, WRITE_SECONDS))
                lines = connection.execute(work.ended_lines(batch.id, status, last, PAGE)).all()
                ids = [line.job_id for line in lines]
                rows = connection.execute(all_visible(ids, batch.tenant)) if ids else ()
                found = {job.id: job for job in map(job_from_row, rows)}
            for line in lines:
                yield line, found.get(line.job_id)
            if len(lines) < PAGE:
                return
            last = lines[-1].number

    def _answer(self, batch: RequestBatch, line: Row[Any], job: Job | None) -> dict[str, Any]:
        problem, body = msgspec.convert(line.problem, LineProblem | None), None
        if problem is None:
            problem, body = self._result(batch, job, msgspec.convert(line.answer_format, AnswerFormat))
        response: dict[str, Any] | None = None
        if problem is None or problem.status is not None:
            status = 200 if problem is None or problem.status is None else problem.status
            if problem is not None:
                body = error_body(status, problem.message, problem.code, problem.param)
            response = {"status_code": status, "request_id": line.job_id, "body": body}
        error = None if response is not None or problem is None else {"code": problem.code, "message": problem.message}
        name = f"batch_req_{line.job_id.removeprefix('job_')}"
        return {"id": name, "custom_id": line.custom_id, "response": response, "error": error}

    def _result(
        self, batch: RequestBatch, job: Job | None, answer_format: AnswerFormat
    ) -> tuple[LineProblem | None, Any]:
        """Return why a job has no answer, or its answer."""
        if job is None:
            return GONE, None
        if job.status is not JobStatus.COMPLETED:
            code, message = failure_of(job)
            return LineProblem(code, message, failure_status(code)), None
        if job.outputs_removed_at is not None or not job.artifacts:
            return GONE, None
        if job.modality == "video":
            return None, video_answer(job)
        read = None if answer_format.links else lambda artifact: self._store.head(artifact.key, artifact.bytes)
        try:
            return None, images_answer([job], self._settings, quality=answer_format.quality, read=read)
        except UnknownOutput:
            return GONE, None
