"""The sound of a speech job as one answer, which begins while the job computes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from api.follow.output_stream import Beginning, OutputFeed, OutputStream
from api.http.auth import SHOWS_JOB, needs
from api.http.strict_json import StrictRequest
from api.native.jobs.accepted import status_url
from api.openapi.documents import error_responses
from core.errors.base import AtelierError, RequestRefused
from core.errors.conflicts import NoSound
from core.errors.fields import InvalidRequest
from core.errors.limits import TooManyStreams
from core.errors.tree import all_errors
from core.errors.unknown import MalformedId, OutputExpired, UnknownJob, UnknownOutput
from core.settings import Settings
from jobs.job import Job
from jobs.library_types import EXTENSIONS, SAME
from jobs.params.speech import SPEECH, SpeechParams
from jobs.statements.queue.look import JobView

JOB = "X-Atelier-Job"
UNHELD = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Headers that keep proxies from holding an answer back."""
PCM = "audio/pcm"
FORMAT_OF = {PCM: "pcm"} | {
    media_type: EXTENSIONS[SAME.get(media_type, media_type)]
    for media_type in (*EXTENSIONS, *SAME)
    if f".{EXTENSIONS.get(SAME.get(media_type, media_type), '')}" in SPEECH.formats
}
"""The formats of recordings, by their media types."""
MEDIA_TYPES = {EXTENSIONS.get(media_type, "pcm"): media_type for media_type in (PCM, *EXTENSIONS)}

Leave = Callable[[], Awaitable[object]]
"""What is done when a client disconnects before the job has ended."""


class SoundRoutes(Controller):
    """The route of sound that is being made, or was made."""

    path = "/jobs/v1"
    tags = ("Jobs",)
    opt = needs("jobs")

    @get(
        "/{job_id:str}/sound",
        opt=SHOWS_JOB,
        responses=error_responses(MalformedId, UnknownJob, UnknownOutput, OutputExpired, NoSound, TooManyStreams),
        response_description="The recording, in the job's own format.",
        media_type="audio/*",
        summary="The sound of a job",
    )
    async def listen(
        self,
        request: StrictRequest,
        job_id: FromPath[str],
        job_view: NamedDependency[JobView],
        output_feed: NamedDependency[OutputFeed],
        settings: NamedDependency[Settings],
    ) -> Stream:
        """Answer with the recording from its beginning, as it is made if the job has `stream`, else once it is stored.

        The answer begins with the first sound, which it waits for, and ends with the job. It ends early where the job
        fails, or where a repeat of it differs; its status says so.
        """
        if job_view.job.modality != SPEECH.name:
            raise UnknownOutput
        answer = await sound_answer(output_feed, request, job_view, settings)
        assert answer is not None  # without a time limit
        return answer


def format_of_accept(request: StrictRequest) -> str | None:
    """Return the format of the sound that a request wants at once; None where it wants JSON.

    Empty: any. The first media type of its Accept counts. Raises `InvalidRequest` for sound that is not made here.
    """
    first = request.headers.get("Accept", "").partition(",")[0].partition(";")[0].strip().lower()
    if not first.startswith("audio/"):
        return None
    if first == "audio/*":
        return ""
    if first not in FORMAT_OF:
        known = ", ".join(sorted({MEDIA_TYPES[name] for name in SPEECH.formats.values()}))
        raise InvalidRequest(
            f"`Accept` names sound that is not made here; accept one of {known}.", field="header.Accept"
        )
    return FORMAT_OF[first]


def streamed(params: SpeechParams, output_format: str) -> SpeechParams:
    """Return the parameters of a recording that is streamed, in a format if one is given."""
    chosen = output_format or params.output_format
    return msgspec.structs.replace(params, stream=True, output_format=chosen)


async def sound_answer(
    feed: OutputFeed,
    request: StrictRequest,
    view: JobView,
    settings: Settings,
    *,
    seconds: float | None = None,
    headers: Mapping[str, str] = {},
    leave: Leave | None = None,
) -> Stream | None:
    """Return the answer with the sound of a job; None where there is none within `seconds`, or the client is gone.

    Raises `OutputExpired`, `NoSound` for a job that ends without sound, and the error of one whose caller can mend it.
    """
    stream = OutputStream(feed, view, request.user.key_id)
    beginning = await stream.begin(request.receive, seconds)
    if beginning is Beginning.LATE:
        return None
    if beginning is Beginning.NOTHING:
        raise _no_sound(stream.view.job)
    if beginning is Beginning.GONE and leave is not None:
        await leave()
    all_headers = {"Location": status_url(view.job, settings), JOB: view.job.id, **UNHELD, **headers}
    output_format = view.job.params.get("output_format", "wav")
    media_type = MEDIA_TYPES[output_format if f".{output_format}" in SPEECH.formats else "wav"]
    return Stream(_followed(stream, leave), status_code=200, media_type=media_type, headers=all_headers)


async def _followed(stream: OutputStream, leave: Leave | None) -> AsyncIterator[bytes]:
    is_whole = False
    try:
        async for chunk in stream.chunks():
            yield chunk
        is_whole = True
    finally:
        if not is_whole and leave is not None:
            await asyncio.shield(asyncio.ensure_future(leave()))


def _no_sound(job: Job) -> AtelierError:
    """Return the error of a job that has ended and has no sound."""
    if job.outputs_removed_at is not None:
        return OutputExpired()
    if job.error is None:
        return NoSound(f"This job has ended as {job.status} without sound; its status says why.")
    for error in all_errors(RequestRefused):
        if error.code == job.error.code:
            return error(job.error.message)
    return NoSound(f"This job made no sound ({job.error.code}): {job.error.message}")
