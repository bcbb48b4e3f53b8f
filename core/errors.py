"""Every error a caller can see, as one tree.

::

    AtelierError
    ├── RequestRefused                  the caller can mend it
    │   ├── InvalidRequest              422  invalid_request
    │   │   ├── InvalidJson             400  invalid_json
    │   │   ├── MissingField            422  missing_field
    │   │   ├── UnknownField            422  unknown_field
    │   │   ├── WrongType               422  wrong_type
    │   │   ├── OutOfRange              422  out_of_range
    │   │   ├── NulInText               422  nul_in_text
    │   │   ├── NotSupportedYet         422  not_supported_yet
    │   │   ├── UnknownModel            422  unknown_model
    │   │   ├── IdempotencyMismatch     422  idempotency_key_reused
    │   │   ├── NotThisModel            422  not_supported_by_model
    │   │   ├── UnknownInput            422  unknown_input
    │   │   ├── TooManyVoices           422  too_many_voices
    │   │   ├── TooManyWebhooks         422  too_many_webhooks
    │   │   ├── ForbiddenUrl            422  forbidden_url
    │   │   ├── UnsupportedMedia        422  unsupported_media
    │   │   ├── InputTooLarge           422  input_too_large
    │   │   └── InputUnreadable         422  input_unreadable
    │   ├── BodyTooLarge                413  body_too_large
    │   ├── Unauthenticated             401  unauthenticated
    │   ├── Forbidden                   403  forbidden
    │   ├── BudgetExhausted             402  budget_exhausted
    │   ├── MalformedId                 404  malformed_id
    │   ├── UnknownJob                  404  unknown_job
    │   ├── UnknownServer               404  unknown_server
    │   ├── UnknownVoice                404  unknown_voice
    │   ├── UnknownWebhook              404  unknown_webhook
    │   ├── UnknownDelivery             404  unknown_delivery
    │   ├── UnknownOutput               404  unknown_output
    │   ├── OutputExpired               410  output_expired
    │   ├── UnknownRoute                404  not_found
    │   ├── WrongMethod                 405  method_not_allowed
    │   ├── BadSignature                403  bad_signature
    │   ├── WebhookDisabled             409  webhook_disabled
    │   ├── ServerOffline               409  server_offline
    │   ├── ServerAlive                 409  server_alive
    │   ├── ServerHasJobs               409  server_has_jobs
    │   ├── CommandRefused              409  order_refused
    │   ├── BadRange                    416  range_not_satisfiable
    │   └── TooManyJobs                 429  too_many_jobs
    ├── Unavailable                     the service can not do it now
    │   ├── DatabaseUnavailable         503  database_unavailable
    │   ├── SchemaBehind                503  schema_behind
    │   ├── StorageUnavailable          503  storage_unavailable
    │   ├── BrokerUnavailable           503  broker_unavailable
    │   └── NoModelAvailable            503  no_model_available
    └── JobFailed                       stored on the job, never an HTTP status of its own
        ├── InputUnreachable                 input_unreachable
        ├── PipelineFailed                   pipeline_failed
        │   └── NotFinite                    not_finite
        ├── ModelLoadFailed                  model_load_failed
        ├── WeightsNotLocked                 weights_not_locked
        ├── LicenseRefused                   licence_refused
        ├── EncodeFailed                     encode_failed
        ├── GpuOutOfMemory                   gpu_out_of_memory
        ├── StageDeadlineExceeded            stage_deadline_exceeded
        ├── EngineLost                       engine_lost
        ├── DeadlineExceeded                 deadline_exceeded
        └── AttemptsExhausted                attempts_exhausted

``code`` never changes once published; ``detail`` is a sentence that tells the caller what to do. What is wrong with an
input may come out only once it was fetched: then its code is the failed job's.
"""

from typing import ClassVar


class AtelierError(Exception):
    """Root of the tree: a stable ``code``, an HTTP ``status`` and a sentence."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    advice: ClassVar[str] = "Something went wrong on our side; try again, and report the request id if it stays."

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        self.detail = detail or self.advice
        self.field = field
        super().__init__(self.detail)


class RequestRefused(AtelierError):
    """The caller can mend it."""

    code, status = "request_refused", 400


class InvalidRequest(RequestRefused):
    """A field is wrong; ``field`` is its path."""

    code, status = "invalid_request", 422
    advice = "Correct the named field and send the request again."


class InvalidJson(InvalidRequest):
    """The body is no JSON object."""

    code, status = "invalid_json", 400
    advice = "Send a JSON object with Content-Type application/json."


class MissingField(InvalidRequest):
    """A required field is not there."""

    code = "missing_field"


class UnknownField(InvalidRequest):
    """A field this route does not have."""

    code = "unknown_field"


class WrongType(InvalidRequest):
    """A field of another type than documented."""

    code = "wrong_type"


class OutOfRange(InvalidRequest):
    """A field outside its documented range or set."""

    code = "out_of_range"


class NulInText(InvalidRequest):
    """PostgreSQL can not store U+0000."""

    code = "nul_in_text"
    advice = "Remove the NUL character (U+0000) from the text."


class NotSupportedYet(InvalidRequest):
    """The field is part of the contract and its feature is not built."""

    code = "not_supported_yet"
    advice = "Leave this field out: its feature is not built yet."


class UnknownModel(InvalidRequest):
    """No catalog entry of that name serves this modality."""

    code = "unknown_model"
    advice = "Choose a model from GET /models/v1, or leave `model` out for the default."


class IdempotencyMismatch(InvalidRequest):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_key_reused"
    advice = "This Idempotency-Key was used with another body; use a new key for a new request."


class ForbiddenUrl(InvalidRequest):
    """A URL the service must not connect to."""

    code = "forbidden_url"
    advice = "Use a public http(s) URL; an operator can open private networks with ATELIER_ALLOWED_NETWORKS."


class NotThisModel(InvalidRequest):
    """The model that was asked for does not do this; another one of the catalog may."""

    code = "not_supported_by_model"
    advice = "Leave the named field out, or choose a model that can do it; GET /models/v1 says which."


class UnknownInput(InvalidRequest):
    """No uploaded input, or stored voice, of this id belongs to the tenant, or it was never uploaded."""

    code = "unknown_input"
    advice = "Make an input with POST /inputs/v1, PUT the file to its upload_url, then name its input_id."


class TooManyVoices(InvalidRequest):
    """The tenant keeps as many voices as it may."""

    code = "too_many_voices"
    advice = "Remove a voice that you do not need with DELETE /voices/v1/{voice_id}, then send it again."


class TooManyWebhooks(InvalidRequest):
    """The tenant has as many webhook endpoints as it may."""

    code = "too_many_webhooks"
    advice = "Remove one with DELETE /webhooks/v1/{webhook_id}, then send it again."


class UnsupportedMedia(InvalidRequest):
    """An input of a media type that the field does not take, judged by its content."""

    code = "unsupported_media"
    advice = "Send a PNG, JPEG, WebP, GIF, BMP or TIFF picture."


class InputTooLarge(InvalidRequest):
    """An input with too many bytes or pixels."""

    code = "input_too_large"
    advice = "Send a file of at most 20 MB and 40 megapixels, no side above 8192 pixels."


class InputUnreadable(InvalidRequest):
    """An input that is broken: truncated, or not what it says it is."""

    code = "input_unreadable"
    advice = "The file can not be decoded; check that it opens on your side, and send it again."


class BodyTooLarge(RequestRefused):
    """The request body is over the limit."""

    code, status = "body_too_large", 413
    advice = (
        "Send at most 256 kB of JSON, 28 MB where media may be in it; larger ones are uploaded with POST /inputs/v1."
    )


class Unauthenticated(RequestRefused):
    """No key, or none that is known and live."""

    code, status = "unauthenticated", 401
    advice = "Send a valid key as X-API-Key or Authorization: Bearer; `atelier keys create` makes one."


class Forbidden(RequestRefused):
    """The key is good and lacks the scope that the route needs."""

    code, status = "forbidden", 403
    advice = "Admin scope needed: use a key that `atelier keys create --admin` made."


class BudgetExhausted(RequestRefused):
    """The tenant's budget is spent."""

    code, status = "budget_exhausted", 402
    advice = "The budget of this tenant is spent; ask the operator to raise it."


class MalformedId(RequestRefused):
    """Not the shape of an id."""

    code, status = "malformed_id", 404
    advice = "An id looks like job_ followed by 32 hexadecimal digits; use the job_id of the submit answer."


class UnknownJob(RequestRefused):
    """No such job for this tenant (a foreign job answers the same)."""

    code, status = "unknown_job", 404
    advice = "No job with this id belongs to this key; GET /jobs/v1 lists yours."


class UnknownServer(RequestRefused):
    """No server of that name was ever registered."""

    code, status = "unknown_server", 404
    advice = "No server of this name was ever registered; GET /servers/v1 lists them."


class UnknownVoice(RequestRefused):
    """No such stored voice of this tenant (a foreign one answers the same), and no model's own."""

    code, status = "unknown_voice", 404
    advice = "No voice with this id belongs to this key; GET /voices/v1 lists those that do."


class UnknownWebhook(RequestRefused):
    """No such endpoint of this tenant (a foreign one answers the same)."""

    code, status = "unknown_webhook", 404
    advice = "No webhook endpoint with this id belongs to this key; GET /webhooks/v1 lists those that do."


class UnknownDelivery(RequestRefused):
    """No such delivery of this tenant (a foreign one answers the same)."""

    code, status = "unknown_delivery", 404
    advice = "No delivery with this id belongs to this key; GET /webhooks/v1/deliveries lists those that do."


class UnknownOutput(RequestRefused):
    """The job has no such output, or it is gone."""

    code, status = "unknown_output", 404
    advice = "This output does not exist any more; ask the job's status for its outputs."


class OutputExpired(RequestRefused):
    """The job had this output; its retention is over."""

    code, status = "output_expired", 410
    advice = "This output was removed when its retention ended; submit the job again if you still need it."


class UnknownRoute(RequestRefused):
    """No route has this path."""

    code, status = "not_found", 404
    advice = "There is no such path; the page at /schema lists all of them."


class WrongMethod(RequestRefused):
    """The path exists, and not with this method."""

    code, status = "method_not_allowed", 405
    advice = "This path takes other methods; the Allow header names them."


class BadSignature(RequestRefused):
    """A download link whose signature is wrong or has expired."""

    code, status = "bad_signature", 403
    advice = "Take a fresh link: from the job's status, or from POST /inputs/v1 for an upload."


class WebhookDisabled(RequestRefused):
    """An endpoint that is disabled, or was removed, is sent nothing."""

    code, status = "webhook_disabled", 409
    advice = 'This webhook endpoint is disabled or was removed; PATCH it with {"enabled": true}, then send again.'


class ServerOffline(RequestRefused):
    """An order for a server that does not live."""

    code, status = "server_offline", 409
    advice = "This server is offline, so it can take no order; start its worker, then send it again."


class ServerAlive(RequestRefused):
    """A server that lives can not be removed."""

    code, status = "server_alive", 409
    advice = "This server is alive; stop its worker, wait until it is offline, then remove it."


class ServerHasJobs(RequestRefused):
    """A server that waiting jobs are pinned to is removed only by force."""

    code, status = "server_has_jobs", 409
    advice = "Waiting jobs are pinned to this server; let them end or cancel them, or remove it with ?force=true."


class CommandRefused(RequestRefused):
    """The server heard the order and does not take it; the detail says why."""

    code, status = "order_refused", 409
    advice = "The server does not take this order now; GET /servers/v1 shows its state."


class BadRange(RequestRefused):
    """A Range header that asks for bytes beyond the end."""

    code, status = "range_not_satisfiable", 416
    advice = "Ask for bytes within the file; the Content-Range header says how long it is."


class TooManyJobs(RequestRefused):
    """The tenant has as many unfinished jobs as it may."""

    code, status = "too_many_jobs", 429
    advice = "Wait until some of your jobs have finished, then send it again."


class Unavailable(AtelierError):
    """The service can not do it now; nothing was accepted."""

    code, status = "unavailable", 503


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer."""

    code = "database_unavailable"
    advice = "The database does not answer; nothing was accepted. Try again in a few seconds."


class SchemaBehind(Unavailable):
    """The database's schema is older than this code."""

    code = "schema_behind"
    advice = "The database's schema is older than this version of the service; run `atelier migrate`."


class StorageUnavailable(Unavailable):
    """The object store does not answer, or is full (`full`: waiting does not help)."""

    code = "storage_unavailable"
    advice = "The object store does not accept data; try again later."

    def __init__(self, detail: str | None = None, *, full: bool = False) -> None:
        super().__init__(detail)
        self.full = full


class BrokerUnavailable(Unavailable):
    """An order did not reach its server, or its answer did not come back."""

    code = "broker_unavailable"
    advice = "The broker does not answer, so the order did not reach the server; try again in a few seconds."


class NoModelAvailable(Unavailable):
    """No live server serves any model of this modality."""

    code = "no_model_available"
    advice = "No running server serves this modality; start a GPU worker, or name a model to wait for it."


class JobFailed(AtelierError):
    """Why a job failed: stored on the job and shown as ``error {code, message}``."""

    code = "job_failed"
    advice = "The job failed."


class InputUnreachable(JobFailed):
    """A URL of the job could not be fetched."""

    code = "input_unreachable"
    advice = "A URL of this job could not be fetched; check that it answers 200 without a login."


class PipelineFailed(JobFailed):
    """The pipeline raised."""

    code = "pipeline_failed"
    advice = "The model raised an error while it ran."


class NotFinite(PipelineFailed):
    """The model computed NaN or infinity."""

    code = "not_finite"
    advice = "The model computed numbers that are not finite; try other settings or another seed."


class ModelLoadFailed(JobFailed):
    """The model did not load."""

    code = "model_load_failed"
    advice = "The model could not be loaded on this server; ask the operator to run `atelier doctor`."


class WeightsNotLocked(JobFailed):
    """A file is not in ``weights.lock``, or differs from it."""

    code = "weights_not_locked"
    advice = "A weight file is not what weights.lock says; nothing was loaded. Ask the operator to restore it."


class LicenseRefused(JobFailed):
    """The model's licence is not among those the operator allows."""

    code = "licence_refused"
    advice = "The licence of this model is not allowed here; choose another model."


class EncodeFailed(JobFailed):
    """The encoder could not write the output."""

    code = "encode_failed"
    advice = "The result could not be encoded in the requested format."


class GpuOutOfMemory(JobFailed):
    """Out of memory, also on the retry."""

    code = "gpu_out_of_memory"
    advice = "The device ran out of memory; ask for a smaller size or a shorter output."


class StageDeadlineExceeded(JobFailed):
    """A stage overran its own deadline."""

    code = "stage_deadline_exceeded"
    advice = "A stage of the job took longer than it may; the engine was restarted."


class EngineLost(JobFailed):
    """The engine process died under the job."""

    code = "engine_lost"
    advice = "The engine process died while it ran this job."


class DeadlineExceeded(JobFailed):
    """The job's own ``deadline_at`` passed."""

    code = "deadline_exceeded"
    advice = "The job was not finished by its deadline."


class AttemptsExhausted(JobFailed):
    """As many workers were lost under the job as it has attempts."""

    code = "attempts_exhausted"
    advice = "Every attempt at this job was lost with its worker; submit it again."
