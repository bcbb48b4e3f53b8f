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
    │   │   ├── NoModelForTask          422  no_model_for_task
    │   │   ├── UnknownInput            422  unknown_input
    │   │   ├── TooManyVoices           422  too_many_voices
    │   │   ├── LibraryFull             422  library_full
    │   │   ├── TooManyKeys             422  too_many_keys
    │   │   ├── TooManyWebhooks         422  too_many_webhooks
    │   │   ├── ForbiddenUrl            422  forbidden_url
    │   │   ├── UnsupportedMedia        422  unsupported_media
    │   │   ├── MediaTypeMismatch       422  media_type_mismatch
    │   │   ├── InputTooLarge           422  input_too_large
    │   │   ├── NoSuchProfile           422  no_such_profile
    │   │   ├── NoCapableModel          422  no_capable_model
    │   │   ├── TooManyProfiles         422  too_many_profiles
    │   │   ├── TooManyEntities         422  too_many_entities
    │   │   ├── InputUnreadable         422  input_unreadable
    │   │   ├── MaskOfOtherSize         422  mask_of_other_size
    │   │   ├── EmptyMask               422  empty_mask
    │   │   ├── LoraNotAllowed          422  lora_not_allowed
    │   │   ├── LoraNotCompatible       422  lora_not_compatible
    │   │   └── PictureTooBusy          422  picture_too_busy
    │   ├── MalformedRequest            400  malformed_request
    │   ├── RequestTimedOut             408  request_timed_out
    │   ├── BodyTooLarge                413  body_too_large
    │   ├── UnsupportedType             415  unsupported_type
    │   │   └── UnsupportedEncoding     415  unsupported_encoding
    │   ├── HeadTooLarge                431  head_too_large
    │   ├── Unauthenticated             401  unauthenticated
    │   ├── Forbidden                   403  forbidden
    │   ├── CrossSiteRequest            403  cross_site_request
    │   ├── StoreMismatch               403  store_mismatch
    │   ├── NotEntitled                 403  not_entitled
    │   ├── BudgetExhausted             402  budget_exhausted
    │   ├── MalformedId                 404  malformed_id
    │   ├── UnknownJob                  404  unknown_job
    │   ├── UnknownServer               404  unknown_server
    │   ├── UnknownKey                  404  unknown_key
    │   ├── UnknownVoice                404  unknown_voice
    │   ├── UnknownMedia                404  unknown_media
    │   ├── UnknownFile                 404  unknown_file
    │   ├── UnknownBatch                404  unknown_batch
    │   ├── UnknownChain                404  unknown_chain
    │   ├── UnknownEntity               404  unknown_entity
    │   ├── UnknownProfile              404  unknown_profile
    │   ├── UnknownWebhook              404  unknown_webhook
    │   ├── UnknownDelivery             404  unknown_delivery
    │   ├── UnknownOutput               404  unknown_output
    │   ├── OutputExpired               410  output_expired
    │   ├── UnknownRoute                404  not_found
    │   ├── WrongMethod                 405  method_not_allowed
    │   ├── NotOffered                  501  not_offered
    │   ├── BadSignature                403  bad_signature
    │   ├── WebhookDisabled             409  webhook_disabled
    │   ├── MediaNotReady               409  media_not_ready
    │   ├── ServerOffline               409  server_offline
    │   ├── ServerAlive                 409  server_alive
    │   ├── ServerHasJobs               409  server_has_jobs
    │   ├── CommandRefused              409  order_refused
    │   ├── JobNotWaiting               409  job_not_waiting
    │   ├── NoSound                     409  no_sound
    │   ├── JobNotCompleted             409  job_not_completed
    │   ├── JobNotFailed                409  job_not_failed
    │   ├── PromptForgotten             409  prompt_forgotten
    │   ├── InputsForgotten             409  inputs_forgotten
    │   ├── ModelChanged                409  model_changed
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
    │   ├── NoModelAvailable            503  no_model_available
    │   ├── SampleUnavailable           503  sample_unavailable
    │   └── VectorUnavailable           503  vector_unavailable
    └── JobFailed                       stored on the job, never an HTTP status of its own
        ├── InputUnreachable                 input_unreachable
        ├── PipelineFailed                   pipeline_failed
        │   └── NotFinite                    not_finite
        ├── NoBackgroundRemoval              no_background_removal
        ├── NoTextModel                      no_text_model
        ├── NoSoundModel                     no_sound_model
        ├── ModelLoadFailed                  model_load_failed
        ├── WeightsNotLocked                 weights_not_locked
        ├── LicenseRefused                   licence_refused
        ├── EncodeFailed                     encode_failed
        ├── GpuOutOfMemory                   gpu_out_of_memory
        ├── StageDeadlineExceeded            stage_deadline_exceeded
        ├── EngineLost                       engine_lost
        ├── DeadlineExceeded                 deadline_exceeded
        ├── StartDeadlineExceeded            start_deadline_exceeded
        ├── BackendFailed                    backend_failed
        ├── BackendRefused                   backend_refused
        └── AttemptsExhausted                attempts_exhausted

``code`` never changes once published. ``detail`` says what is wrong, then what to do. A fault of an input may show only
after it was fetched: then its code is that of the failed job.
"""

from collections.abc import Iterator

from core.errors import access, conflicts, failures, fields, http, inputs, limits, unavailable, unknown
from core.errors.base import AtelierError

MODULES = (access, conflicts, failures, fields, http, inputs, limits, unavailable, unknown)
"""Those whose classes are the tree."""


def all_errors(root: type[AtelierError] = AtelierError) -> Iterator[type[AtelierError]]:
    """Yield `root` and every class below it, each before its own subclasses."""
    yield root
    for kind in root.__subclasses__():
        yield from all_errors(kind)
