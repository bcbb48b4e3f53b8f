"""The tree of all errors that a caller can see.

::

    AtelierError
    ├── RequestRefused                  the caller can correct it
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
    │   ├── MalformedRequest            400  malformed_request
    │   ├── RequestTimedOut             408  request_timed_out
    │   ├── BodyTooLarge                413  body_too_large
    │   ├── UnsupportedType             415  unsupported_type
    │   │   └── UnsupportedEncoding     415  unsupported_encoding
    │   ├── HeadTooLarge                431  head_too_large
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
    │   ├── TooManyBodies               429  too_many_bodies
    │   ├── TooManyJobs                 429  too_many_jobs
    │   ├── RateLimited                 429  rate_limited
    │   │   └── TooManyUnknownKeys  429  too_many_unknown_keys
    │   ├── TooManyStreams              429  too_many_streams
    │   └── TooManyUploads              429  too_many_uploads
    ├── Unavailable                     the service cannot do it now
    │   ├── DatabaseUnavailable         503  database_unavailable
    │   ├── SchemaBehind                503  schema_behind
    │   ├── StorageUnavailable          503  storage_unavailable
    │   ├── BrokerUnavailable           503  broker_unavailable
    │   ├── TooManyConnections          503  too_many_connections
    │   ├── Overloaded                  503  overloaded
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

``code`` never changes once published. ``detail`` says what is wrong, then what to do. A fault of an input may show only
after it was fetched: then its code is that of the failed job.
"""

from math import ceil
from typing import ClassVar


class AtelierError(Exception):
    """Root of the tree: a stable ``code``, an HTTP ``status``, and ``advice``, the message where no detail is given."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    advice: ClassVar[str] = "The service failed; try again, and report the request id if it fails again."

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        self.detail = detail or self.advice
        self.field = field
        super().__init__(self.detail)


class RequestRefused(AtelierError):
    """A request that the caller can correct."""

    code, status = "request_refused", 400


class InvalidRequest(RequestRefused):
    """A request with a wrong field; ``field`` is its path."""

    code, status = "invalid_request", 422
    advice = "A field of the request is wrong; correct it and send the request again."


class InvalidJson(InvalidRequest):
    """A body that is not a JSON object."""

    code, status = "invalid_json", 400
    advice = "Send a JSON object with Content-Type application/json."


class MissingField(InvalidRequest):
    """A required field that is missing."""

    code = "missing_field"


class UnknownField(InvalidRequest):
    """A field that this route does not have."""

    code = "unknown_field"


class WrongType(InvalidRequest):
    """A field of another type than documented."""

    code = "wrong_type"


class OutOfRange(InvalidRequest):
    """A field outside its documented range or set of values."""

    code = "out_of_range"


class NulInText(InvalidRequest):
    """Text with U+0000, which PostgreSQL cannot store."""

    code = "nul_in_text"
    advice = "The text contains the NUL character (U+0000); remove it."


class NotSupportedYet(InvalidRequest):
    """A field of the contract whose feature does not exist yet."""

    code = "not_supported_yet"
    advice = "This field is not supported yet; remove it."


class UnknownModel(InvalidRequest):
    """A model name without a catalog entry of this modality."""

    code = "unknown_model"
    advice = "This model does not exist; choose one from GET /models/v1, or leave `model` out for the default."


class IdempotencyMismatch(InvalidRequest):
    """An Idempotency-Key that was used with another body."""

    code = "idempotency_key_reused"
    advice = "This Idempotency-Key was used with another body; use a new key for a new request."


class ForbiddenUrl(InvalidRequest):
    """A URL that the service must not connect to."""

    code = "forbidden_url"
    advice = (
        "The service does not connect to this URL; use a public http(s) URL. "
        "An operator can open private networks with ATELIER_ALLOWED_NETWORKS."
    )


class NotThisModel(InvalidRequest):
    """A request that the chosen model does not support; another model of the catalog may."""

    code = "not_supported_by_model"
    advice = "A field is not supported by this model; remove it, or choose a model of GET /models/v1 that supports it."


class UnknownInput(InvalidRequest):
    """The id of an input or stored voice that the tenant does not have, or of an input without its file."""

    code = "unknown_input"
    advice = (
        "This input does not exist; make one with POST /inputs/v1, PUT the file to its `upload_url`, "
        "then send its `input_id`."
    )


class TooManyVoices(InvalidRequest):
    """A voice beyond the tenant's limit."""

    code = "too_many_voices"
    advice = "Remove a voice with DELETE /voices/v1/{voice_id}, then send the request again."


class TooManyWebhooks(InvalidRequest):
    """A webhook endpoint beyond the tenant's limit."""

    code = "too_many_webhooks"
    advice = "Remove one with DELETE /webhooks/v1/{webhook_id}, then send the request again."


class UnsupportedMedia(InvalidRequest):
    """An input of a media type that the field does not accept, by its content."""

    code = "unsupported_media"
    advice = "The media type of this file is not supported; send a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF image."


class InputTooLarge(InvalidRequest):
    """An input with too many bytes or pixels."""

    code = "input_too_large"
    advice = "The file is too large; send at most 20 MB and 64 megapixels, with no side above 8192 pixels."


class InputUnreadable(InvalidRequest):
    """An input that is broken: truncated, or of another type than it declares."""

    code = "input_unreadable"
    advice = "The file cannot be decoded; check that it opens on your side, then send it again."


class MalformedRequest(RequestRefused):
    """A request that is not HTTP/1.1, or can be read in two ways."""

    code, status = "malformed_request", 400
    advice = (
        "The request is not valid HTTP/1.1; send one Host header, no line breaks within a header, and Content-Length "
        "or `Transfer-Encoding: chunked`, not both."
    )


class RequestTimedOut(RequestRefused):
    """A request that did not arrive in time."""

    code, status = "request_timed_out", 408
    advice = "The request did not arrive in time; send it again, over a faster connection or with a smaller body."


class UnsupportedType(RequestRefused):
    """A body of another media type than JSON."""

    code, status = "unsupported_type", 415
    advice = "This route takes JSON; send a JSON object with Content-Type application/json."


class UnsupportedEncoding(UnsupportedType):
    """A body that the client has compressed."""

    code = "unsupported_encoding"
    advice = "Compressed bodies are not decoded here; send the body as it is, without Content-Encoding."


class HeadTooLarge(RequestRefused):
    """A request head, a chunk header or trailers over the limit."""

    code, status = "head_too_large", 431
    advice = "The head of the request is too large; send fewer or shorter headers, and large content in the body."


class BodyTooLarge(RequestRefused):
    """A request body over the limit."""

    code, status = "body_too_large", 413
    advice = (
        "The body is too large; send at most 256 kB of JSON, 28 MB where media may be in it. Upload larger media with "
        "POST /inputs/v1."
    )


class Unauthenticated(RequestRefused):
    """A request without a valid API key."""

    code, status = "unauthenticated", 401
    advice = (
        "The API key is missing or not valid; send one as X-API-Key or Authorization: Bearer. "
        "`atelier keys create` makes one."
    )


class Forbidden(RequestRefused):
    """A valid key without the scope of the route."""

    code, status = "forbidden", 403
    advice = "This route needs the admin scope; use a key of `atelier keys create --admin`."


class BudgetExhausted(RequestRefused):
    """A job whose price does not fit into what is left of its tenant's budget."""

    code, status = "budget_exhausted", 402
    advice = (
        "The budget of this tenant is spent, or reserved for its unfinished jobs; wait until some of those have ended, "
        "or ask the operator to raise it."
    )


class MalformedId(RequestRefused):
    """Text that does not have the shape of an id."""

    code, status = "malformed_id", 404
    advice = "This is not an id; send job_ followed by 32 hexadecimal digits, as in the `job_id` of the submit answer."


class UnknownJob(RequestRefused):
    """A job that the tenant does not have (another tenant's job answers the same)."""

    code, status = "unknown_job", 404
    advice = "No job with this id belongs to this key; GET /jobs/v1 lists yours."


class UnknownServer(RequestRefused):
    """The name of a server that was never registered."""

    code, status = "unknown_server", 404
    advice = "No server of this name was ever registered; GET /servers/v1 lists them."


class UnknownVoice(RequestRefused):
    """A voice that neither the tenant nor a model has (another tenant's voice answers the same)."""

    code, status = "unknown_voice", 404
    advice = "No voice with this id belongs to this key; GET /voices/v1 lists those that do."


class UnknownWebhook(RequestRefused):
    """A webhook endpoint that the tenant does not have (another tenant's answers the same)."""

    code, status = "unknown_webhook", 404
    advice = "No webhook endpoint with this id belongs to this key; GET /webhooks/v1 lists those that do."


class UnknownDelivery(RequestRefused):
    """A delivery that the tenant does not have (another tenant's answers the same)."""

    code, status = "unknown_delivery", 404
    advice = "No delivery with this id belongs to this key; GET /webhooks/v1/deliveries lists those that do."


class UnknownOutput(RequestRefused):
    """An output that the job does not have, or no longer has."""

    code, status = "unknown_output", 404
    advice = "This output does not exist; read the job's status for its outputs."


class OutputExpired(RequestRefused):
    """An output that was removed at the end of its retention."""

    code, status = "output_expired", 410
    advice = "This output was removed when its retention ended; submit the job again if you still need it."


class UnknownRoute(RequestRefused):
    """A path without a route."""

    code, status = "not_found", 404
    advice = "This path does not exist; the page at /schema lists all paths."


class WrongMethod(RequestRefused):
    """A path that exists with other methods only."""

    code, status = "method_not_allowed", 405
    advice = "This path does not accept this method; use one of the Allow header."


class BadSignature(RequestRefused):
    """A download or upload link whose signature is wrong or has expired."""

    code, status = "bad_signature", 403
    advice = "Use a fresh link: from the job's status, or from POST /inputs/v1 for an upload."


class WebhookDisabled(RequestRefused):
    """A webhook endpoint that is disabled or was removed, so that nothing is sent to it."""

    code, status = "webhook_disabled", 409
    advice = 'This webhook endpoint is disabled or was removed; PATCH it with {"enabled": true}, then try again.'


class ServerOffline(RequestRefused):
    """A command for a server that is offline."""

    code, status = "server_offline", 409
    advice = "This server is offline and receives no commands; start its worker, then send the request again."


class ServerAlive(RequestRefused):
    """The removal of a server that is online."""

    code, status = "server_alive", 409
    advice = "This server is online; stop its worker, wait until it is offline, then remove it."


class ServerHasJobs(RequestRefused):
    """The removal of a server that waiting jobs are pinned to, without `force`."""

    code, status = "server_has_jobs", 409
    advice = "Waiting jobs are pinned to this server; let them end, cancel them, or remove it with ?force=true."


class CommandRefused(RequestRefused):
    """A command that its server has refused; the detail says why."""

    code, status = "order_refused", 409
    advice = "The server refused this command; see its state in GET /servers/v1."


class BadRange(RequestRefused):
    """A Range header with bytes beyond the end of the file."""

    code, status = "range_not_satisfiable", 416
    advice = "The Range is beyond the end of the file; use one within the length in the Content-Range header."


class TooManyBodies(RequestRefused):
    """A large body beyond what the tenant may send at the same time."""

    code, status = "too_many_bodies", 429
    advice = (
        "You are sending too many large bodies at once; send fewer at a time, or upload files with POST /inputs/v1."
    )


class TooManyJobs(RequestRefused):
    """A job beyond the tenant's limit of unfinished jobs."""

    code, status = "too_many_jobs", 429
    advice = "Wait until some of your jobs have finished, then send the request again."


class RateLimited(RequestRefused):
    """A request beyond the rate limit of its key; `retry_after` is in whole seconds, 1 or more."""

    code, status = "rate_limited", 429
    advice = (
        "This key sends requests faster than its rate limit; wait as many seconds as Retry-After says, then repeat it."
    )

    def __init__(self, detail: str | None = None, *, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = max(1, ceil(retry_after))


class TooManyUnknownKeys(RateLimited):
    """A request from an address that has sent too many unknown keys."""

    code = "too_many_unknown_keys"
    advice = (
        "Too many requests with unknown keys came from this address; wait as many seconds as Retry-After says, then "
        "send a valid key."
    )


class TooManyStreams(RequestRefused):
    """An event stream beyond the tenant's limit of open ones."""

    code, status = "too_many_streams", 429
    advice = "Close some of them, or poll the status of your jobs instead, and try again later."


class TooManyUploads(RequestRefused):
    """An upload beyond the tenant's limit of their number or their bytes."""

    code, status = "too_many_uploads", 429
    advice = "Wait until older uploads have expired, and name one upload in all jobs that need its file."


class Unavailable(AtelierError):
    """A request that the service cannot carry out now; nothing was accepted."""

    code, status = "unavailable", 503


class DatabaseUnavailable(Unavailable):
    """A database that does not answer."""

    code = "database_unavailable"
    advice = "The database does not answer, and nothing was accepted; try again in a few seconds."


class SchemaBehind(Unavailable):
    """A database whose schema is older than this code."""

    code = "schema_behind"
    advice = "The database's schema is older than this version of the service; run `atelier migrate`."


class StorageUnavailable(Unavailable):
    """An object store that does not answer, refuses, or is full (`full`: waiting does not help).

    `reason` is one word for operators: the store's own code, such as `NoSuchBucket`, or `unreachable`.
    """

    code = "storage_unavailable"
    advice = "The object store does not accept data; try again later."

    def __init__(self, detail: str | None = None, *, full: bool = False, reason: str = "unreachable") -> None:
        super().__init__(detail)
        self.full = full
        self.reason = reason


class BrokerUnavailable(Unavailable):
    """A command that did not reach its server, or whose answer did not come back."""

    code = "broker_unavailable"
    advice = "The broker does not answer, so the command did not reach the server; try again in a few seconds."


class TooManyConnections(Unavailable):
    """A connection beyond the limit, while every open one is in use."""

    code = "too_many_connections"
    advice = "Too many connections are open; close some, or try again in a few seconds."


class Overloaded(Unavailable):
    """A large body while the process holds as many as it may."""

    code = "overloaded"
    advice = (
        "Too many large bodies arrive at the moment; try again in a few seconds, or upload files with POST /inputs/v1."
    )


class NoModelAvailable(Unavailable):
    """A modality without a model on any running server."""

    code = "no_model_available"
    advice = "No running server serves this modality; start a GPU worker, or name a model to wait for it."


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


class AttemptsExhausted(JobFailed):
    """A job whose every attempt was lost with its worker."""

    code = "attempts_exhausted"
    advice = "Every attempt at this job was lost with its worker; submit it again."
