"""Problems (RFC 9457), and the list of error codes."""

import msgspec


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error: what is wrong, then what to do. `code` never changes; `field` is the path of the field at fault."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    field: str | None = None


class ErrorCode(msgspec.Struct, frozen=True):
    """An error code; `status` is null for one that is stored on a failed job."""

    code: str
    status: int | None
    title: str
    detail: str


class ErrorCodeList(msgspec.Struct, frozen=True):
    """Every error code."""

    problems: list[ErrorCode]
