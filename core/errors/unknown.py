"""Things that a path names and that do not exist, or not for this tenant."""

from core.errors.base import RequestRefused


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


class UnknownKey(RequestRefused):
    """An API key that the tenant does not have (another tenant's key answers the same)."""

    code, status = "unknown_key", 404
    advice = "No API key with this id belongs to your tenant; GET /keys/v1 lists those that do."


class UnknownVoice(RequestRefused):
    """A voice that neither the tenant nor a model has (another tenant's voice answers the same)."""

    code, status = "unknown_voice", 404
    advice = "No voice with this id belongs to this key; GET /voices/v1 lists those that do."


class UnknownMedia(RequestRefused):
    """An item of the media library that the tenant does not have (another tenant's answers the same)."""

    code, status = "unknown_media", 404
    advice = "No item of the media library with this id belongs to this key; GET /media/v1 lists those that do."


class UnknownFile(RequestRefused):
    """A file of lines that the tenant does not have (another tenant's answers the same)."""

    code, status = "unknown_file", 404
    advice = "No file with this id belongs to this key; GET /openai/v1/files lists those that do."


class UnknownBatch(RequestRefused):
    """A batch that the tenant does not have (another tenant's answers the same)."""

    code, status = "unknown_batch", 404
    advice = "No batch with this id belongs to this key; GET /openai/v1/batches lists those that do."


class UnknownChain(RequestRefused):
    """A chain that the tenant does not have (another tenant's chain answers the same)."""

    code, status = "unknown_chain", 404
    advice = "No chain with this id belongs to this key; GET /chains/v1 lists those that do."


class UnknownEntity(RequestRefused):
    """An entity that the tenant does not have (another tenant's answers the same)."""

    code, status = "unknown_entity", 404
    advice = "No entity with this id belongs to this key; GET /v1/entities lists those that do."


class UnknownProfile(RequestRefused):
    """A profile that the tenant does not have (another tenant's answers the same)."""

    code, status = "unknown_profile", 404
    advice = "No profile with this id belongs to this key; GET /profiles/v1 lists those that do."


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
