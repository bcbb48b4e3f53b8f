"""Reasons why a job failed: stored on the job, never an HTTP status of their own."""

from core.errors.base import AtelierError


class JobFailed(AtelierError):
    """The reason why a job failed: stored on the job and shown as ``error {code, message}``."""

    code = "job_failed"
    advice = "The job failed; submit it again."


class InputUnreachable(JobFailed):
    """A URL of the job that could not be fetched."""

    code = "input_unreachable"
    advice = "A URL of this job could not be fetched; check that it answers 200 without a login."


class PipelineFailed(JobFailed):
    """An error that the pipeline raised."""

    code = "pipeline_failed"
    advice = "The model raised an error while it ran."


class NotFinite(PipelineFailed):
    """NaN or infinity in what the model computed."""

    code = "not_finite"
    advice = "The model computed numbers that are not finite; try other settings or another seed."


class NoBackgroundRemoval(JobFailed):
    """A subject to cut out on a server without a model for it."""

    code = "no_background_removal"
    advice = "This server has no model that cuts a subject out; ask the operator for one of `remove-background`."


class NoTextModel(JobFailed):
    """A prompt to write anew on a server without a model for it."""

    code = "no_text_model"
    advice = (
        "This server has no text model that writes the prompt anew; leave `enhance_prompt` out, or ask the operator."
    )


class NoSoundModel(JobFailed):
    """A film whose sound is to be made apart on a server without a model for it."""

    code = "no_sound_model"
    advice = "This server has no model that makes the sound of a film; leave `sound` out, or ask the operator."


class ModelLoadFailed(JobFailed):
    """A model that did not load."""

    code = "model_load_failed"
    advice = "The model could not be loaded on this server; ask the operator to run `atelier doctor`."


class WeightsNotLocked(JobFailed):
    """A weight file that is not in ``weights.lock``, or differs from it."""

    code = "weights_not_locked"
    advice = "A weight file differs from weights.lock, so nothing was loaded; ask the operator to restore it."


class LicenseRefused(JobFailed):
    """A model whose license the operator does not allow."""

    code = "licence_refused"
    advice = "The license of this model is not allowed here; choose another model."


class EncodeFailed(JobFailed):
    """An output that the encoder could not write."""

    code = "encode_failed"
    advice = "The result could not be encoded in the requested format; choose another format."


class GpuOutOfMemory(JobFailed):
    """A device that ran out of memory, also on the retry."""

    code = "gpu_out_of_memory"
    advice = "The device ran out of memory; ask for a smaller size or a shorter output."


class StageDeadlineExceeded(JobFailed):
    """A stage that took longer than its deadline."""

    code = "stage_deadline_exceeded"
    advice = "A stage of the job took longer than its deadline; submit it again, or ask for less."


class EngineLost(JobFailed):
    """An engine process that died while it ran the job."""

    code = "engine_lost"
    advice = "The engine process died while it ran this job; submit it again."


class DeadlineExceeded(JobFailed):
    """A job that was not finished by its ``deadline_at``."""

    code = "deadline_exceeded"
    advice = "The job was not finished by its deadline; submit it again, when fewer jobs wait or with a later deadline."


class StartDeadlineExceeded(JobFailed):
    """A job that was not started within its `start_within_seconds`."""

    code = "start_deadline_exceeded"
    advice = (
        "The job was not started within its `start_within_seconds`, so it never ran; submit it again with more time, "
        "or without."
    )


class BackendFailed(JobFailed):
    """A job whose every attempt was lost at a remote backend."""

    code = "backend_failed"
    advice = "The remote backend did not make this job; submit it again later, or ask the operator for another backend."


class BackendRefused(JobFailed):
    """A job that a remote backend has refused."""

    code = "backend_refused"
    advice = "The remote backend refused this job; change what it asks for."


class AttemptsExhausted(JobFailed):
    """A job whose every attempt was lost with its worker."""

    code = "attempts_exhausted"
    advice = "Every attempt at this job was lost with its worker; submit it again."
