"""The lines of a batch: JSON with the body of a request each, read into the jobs that they ask for."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from api.dialects.openai.batches.schema import Endpoint
from api.dialects.openai.errors import problem_of
from api.dialects.openai.images import as_links, image_jobs
from api.dialects.openai.requests import JobsOfRequest
from api.dialects.openai.schema import GenerationRequest, OpenAIVideoRequest
from api.dialects.openai.video_routes import video_jobs
from api.http.msgspec_errors import refusal
from core.errors.base import AtelierError
from core.errors.fields import NotSupportedYet, OutOfRange
from core.ids import new_id
from jobs.batches import AnswerFormat, LineFault, LineProblem
from jobs.params.image import MAX_IMAGES
from jobs.params.registry import Modality
from jobs.params.requests.whole_numbers import whole_numbers
from jobs.statements.queue.submit import NewJob

MOST_LINES = 10_000
LONGEST_LINE = 100_000
"""Bytes."""
MOST_FAULTS = 20
"""Faults that are shown of a file."""
TOO_MANY_IMAGES = f"`n` must be at most {MAX_IMAGES} in a batch; write more lines."

Prepare = Callable[[str, JobsOfRequest], NewJob]
"""Makes the job of this id of what a line asks for."""
Model = Callable[[Modality, str | None], str | None]
"""What the name of a model means."""


class BatchLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line: a request, and the caller's own name for it."""

    custom_id: Annotated[str, Meta(min_length=1, max_length=512)]
    method: str
    url: str
    body: dict[str, Any]


class ReadLines(msgspec.Struct, frozen=True):
    """The rows of a file's lines, or what is wrong with it: then it makes no jobs at all."""

    rows: list[dict[str, Any]]
    faults: list[LineFault]


def read_lines(path: Path, endpoint: Endpoint, model: Model, prepare: Prepare) -> ReadLines:
    """Read a file. It blocks. A line whose body is refused has a problem in place of a job."""
    rows: list[dict[str, Any]] = []
    faults: list[LineFault] = []
    names: set[str] = set()
    for number, content in _numbered(path):
        if number > MOST_LINES or len(faults) >= MOST_FAULTS:
            if number > MOST_LINES:
                faults.append(LineFault("too_many_lines", f"A batch may have {MOST_LINES} lines; send several."))
            break
        fault, line = _read_line(content, number, endpoint)
        if line is not None and line.custom_id in names:
            fault = LineFault("duplicate_custom_id", "This custom_id is there twice.", number, "custom_id")
        if fault is not None or line is None:
            faults += [fault] if fault is not None else []
            continue
        names.add(line.custom_id)
        rows.append({"number": number, "custom_id": line.custom_id, **_row(line.body, endpoint, model, prepare)})
    if not rows and not faults:
        faults.append(LineFault("empty_file", "The file has no lines."))
    return ReadLines(rows, faults)


def _numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        number = 0
        while content := file.readline(LONGEST_LINE + 1):
            number += 1
            if content.strip():
                yield number, content


def _read_line(content: bytes, number: int, endpoint: str) -> tuple[LineFault | None, BatchLine | None]:
    if len(content) > LONGEST_LINE:
        return LineFault("line_too_long", f"A line may have {LONGEST_LINE} bytes.", number), None
    try:
        line = msgspec.json.decode(content, type=BatchLine)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return LineFault("invalid_json_line", f"This line cannot be read: {error}.", number), None
    if line.method != "POST":
        return LineFault("invalid_method", "`method` must be POST.", number, "method"), None
    if line.url != endpoint:
        return LineFault("mismatched_endpoint", f"`url` must be {endpoint}, as that of the batch.", number, "url"), None
    if "\0" in line.custom_id:
        return LineFault("invalid_custom_id", "Remove the NUL character from `custom_id`.", number, "custom_id"), None
    return None, line


def _row(body: dict[str, Any], endpoint: Endpoint, model: Model, prepare: Prepare) -> dict[str, Any]:
    """Return the columns of a line: its job, or why it has none."""
    job_id = new_id("job")
    try:
        asked, answer_format = _READERS[endpoint](body, model)
        job = prepare(job_id, asked)
    except AtelierError as error:
        return _columns(job_id, problem=problem_of(error))
    return _columns(job_id, job=job, answer_format=answer_format)


def _columns(
    job_id: str,
    *,
    job: NewJob | None = None,
    answer_format: AnswerFormat | None = None,
    problem: LineProblem | None = None,
) -> dict[str, Any]:
    return {
        "status": "waiting" if problem is None else "failed",
        "job_id": job_id,
        "job": msgspec.to_builtins(job),
        "answer_format": msgspec.to_builtins(answer_format or AnswerFormat()),
        "problem": msgspec.to_builtins(problem),
    }


def _images(body: dict[str, Any], model: Model) -> tuple[JobsOfRequest, AnswerFormat]:
    asked = _decode(body, GenerationRequest)
    if (asked.n or 1) > MAX_IMAGES:
        raise OutOfRange(TOO_MANY_IMAGES, field="$.n")
    if asked.stream:
        raise NotSupportedYet("`stream` has no meaning in a batch; leave it out.", field="$.stream")
    made = image_jobs(asked, model("image", asked.model))
    answer_format = AnswerFormat(as_links(asked), asked.quality or "auto")
    return JobsOfRequest(made.params, asked.model, warnings=made.warnings), answer_format


def _video(body: dict[str, Any], model: Model) -> tuple[JobsOfRequest, AnswerFormat]:
    asked = _decode(body, OpenAIVideoRequest)
    return video_jobs(asked, model("video", asked.model), None), AnswerFormat()


def _decode(body: dict[str, Any], type_: type[Any]) -> Any:
    try:
        return msgspec.convert(whole_numbers(body), type_)
    except msgspec.ValidationError as error:
        raise refusal(error, type_) from None


_READERS: Mapping[Endpoint, Callable[[dict[str, Any], Model], tuple[JobsOfRequest, AnswerFormat]]] = {
    "/v1/images/generations": _images,
    "/v1/videos": _video,
}
