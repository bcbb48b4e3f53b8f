"""Fields of a request that are wrong."""

from core.errors.base import RequestRefused


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


class NotThisModel(InvalidRequest):
    """A request that the chosen model does not support; another model of the catalog may."""

    code = "not_supported_by_model"
    advice = "A field is not supported by this model; remove it, or choose a model of GET /models/v1 that supports it."


class NoModelForTask(InvalidRequest):
    """A task that no model of the catalog can do."""

    code = "no_model_for_task"
    advice = "No model of this service can do that yet; GET /models/v1 lists what there is."


class ForbiddenUrl(InvalidRequest):
    """A URL that the service must not connect to."""

    code = "forbidden_url"
    advice = (
        "The service does not connect to this URL; use a public http(s) URL. "
        "An operator can open private networks with ATELIER_ALLOWED_NETWORKS."
    )


class NoSuchProfile(InvalidRequest):
    """A `profile_id` that the tenant does not have (another tenant's answers the same)."""

    code = "no_such_profile"
    advice = "No profile with this id belongs to this key; GET /profiles/v1 lists those that do."


class NoCapableModel(InvalidRequest):
    """A request for something that no served model can do; ``capability`` names it."""

    code = "no_capable_model"
    advice = "No running server has a model that can do this; ask the operator for one, or see GET /models/v1."

    def __init__(self, detail: str | None = None, *, capability: str = "", field: str | None = None) -> None:
        super().__init__(detail, field=field)
        self.capability = capability
